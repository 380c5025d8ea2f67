// collector.h - turns snapshots and the agent's own figures into metric families.
//
// Reads plain values and returns plain values: no HTTP, no segment, no clock; the only I/O is the
// cgroup reader it is given. Guarantees one series per label set, whatever the snapshots claim, so
// that one process can never spoil a scrape.
#pragma once

#include <prometheus/metric_family.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/metrics/agent_stats.h"
#include "agent/metrics/cgroup.h"
#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct HttpRequestCount {
  std::string path;  // a route, never a raw path: the set is bounded
  int code = 0;
  uint64_t count = 0;
};

struct CollectorInput {
  std::vector<std::shared_ptr<const Snapshot>> processes;
  AgentStats agent;
  std::vector<HttpRequestCount> http_requests;
  int64_t now_unix_ns = 0;
};

// Thread-safe.
class MetricsCollector {
 public:
  // Exports at most `max_processes`: running ones first, older ones first. The others are counted.
  explicit MetricsCollector(size_t max_processes, CgroupReader cgroups = CgroupReader());

  // Families in catalog order; one without a value now is left out. An ended process keeps only
  // target_up 0 and target_info, so that its other series end instead of repeating their last
  // value.
  std::vector<prometheus::MetricFamily> collect(const CollectorInput& input);

 private:
  const size_t max_processes_;
  const CgroupReader cgroups_;
  std::atomic<uint64_t> omitted_{0};  // relaxed: a statistic
};

}  // namespace liballoc::agent
