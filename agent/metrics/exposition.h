// exposition.h - the bytes of a reply to a scrape: which format the client wants, and that format.
//
// Knows header values, not HTTP: no request, no status code, no compression.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

namespace liballoc::agent {

enum class ExpositionFormat { kText004, kText100, kOpenMetrics001, kOpenMetrics100 };

// The format of highest quality in an Accept header that can be served. An absent, malformed or
// unsatisfiable header means kText004, as Prometheus clients do: a scrape with readable figures
// beats a 406.
ExpositionFormat negotiate_format(std::string_view accept);

std::string_view content_type(ExpositionFormat format);

std::string expose(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format);

// True when an Accept-Encoding header allows gzip.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace liballoc::agent
