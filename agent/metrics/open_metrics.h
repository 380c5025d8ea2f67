// open_metrics.h - metric families as OpenMetrics 1.0 text.
//
// Covers what the catalog has: counters, gauges and info metrics, without timestamps or exemplars.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

namespace liballoc::agent {

// A counter x_total is the family x of type counter, except where a family x exists beside it (as
// with Go's alloc_bytes and alloc_bytes_total): then x_total is a family of type unknown, since
// family names must be unique.
std::string serialize_open_metrics(const std::vector<prometheus::MetricFamily>& families);

}  // namespace liballoc::agent
