// collector.cc - see collector.h. One function per group of the catalog.
#include "agent/metrics/collector.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/metrics/catalog.h"
#include "agent/metrics/targets.h"

namespace liballoc::agent {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

constexpr double kNanosecondsPerSecond = 1e9;
constexpr size_t kOsCalls = 7;  // MemStats::os_calls: so many calls, then their failures
constexpr std::array<std::string_view, kOsCalls> kOsCallNames = {
    "reserve", "map", "used", "unused", "fault", "alloc", "free"};

double number(uint64_t value) { return static_cast<double>(value); }

// The families under construction; one slot per catalog entry.
class Families {
 public:
  void add(size_t metric, Labels labels, double value) {
    ClientMetric sample;
    sample.label = std::move(labels);
    if (kCatalog[metric].kind == MetricKind::kCounter) {
      sample.counter.value = value;
    } else {
      sample.gauge.value = value;
    }
    samples_[metric].push_back(std::move(sample));
  }

  std::vector<MetricFamily> finish() && {
    std::vector<MetricFamily> families;
    for (size_t i = 0; i < kCatalog.size(); ++i) {
      if (samples_[i].empty()) continue;
      MetricFamily family;
      family.name = kCatalog[i].name;
      family.help = kCatalog[i].help;
      family.type = kCatalog[i].kind == MetricKind::kCounter ? prometheus::MetricType::Counter
                                                             : prometheus::MetricType::Gauge;
      family.metric = std::move(samples_[i]);
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  std::array<std::vector<ClientMetric>, kCatalog.size()> samples_;
};

// Adds series of one process: every one carries its pid and service.
class ProcessSeries {
 public:
  ProcessSeries(Families* families, const Target& target)
      : families_(families),
        identity_{{"pid", target.pid}, {"service", target.snapshot->identity.service}} {}

  void add(size_t metric, double value) { families_->add(metric, identity_, value); }
  void add(size_t metric, uint64_t value) { add(metric, number(value)); }
  void add(size_t metric, std::optional<uint64_t> value) {
    if (value) add(metric, *value);
  }
  void add(size_t metric, std::string_view label, std::string_view label_value, uint64_t value) {
    Labels labels = identity_;
    labels.push_back({std::string(label), std::string(label_value)});
    families_->add(metric, std::move(labels), number(value));
  }
  void add(size_t metric, Labels more, double value) {
    Labels labels = identity_;
    labels.insert(labels.end(), more.begin(), more.end());
    families_->add(metric, std::move(labels), value);
  }

 private:
  Families* families_;
  Labels identity_;
};

void add_memstats(const MemStats& m, ProcessSeries* out) {
  out->add(metric("liballoc_memstats_alloc_bytes"), m.alloc);
  out->add(metric("liballoc_memstats_alloc_bytes_total"), m.total_alloc);
  out->add(metric("liballoc_memstats_sys_bytes"), m.sys);
  out->add(metric("liballoc_memstats_mallocs_total"), m.mallocs);
  out->add(metric("liballoc_memstats_frees_total"), m.frees);
  out->add(metric("liballoc_memstats_heap_alloc_bytes"), m.heap_alloc);
  out->add(metric("liballoc_memstats_heap_sys_bytes"), m.heap_sys);
  out->add(metric("liballoc_memstats_heap_idle_bytes"), m.heap_idle);
  out->add(metric("liballoc_memstats_heap_inuse_bytes"), m.heap_inuse);
  out->add(metric("liballoc_memstats_heap_released_bytes"), m.heap_released);
  out->add(metric("liballoc_memstats_heap_objects"), m.heap_objects);
  out->add(metric("liballoc_memstats_mspan_inuse_bytes"), m.mspan_inuse);
  out->add(metric("liballoc_memstats_mspan_sys_bytes"), m.mspan_sys);
  out->add(metric("liballoc_memstats_mcache_inuse_bytes"), m.mcache_inuse);
  out->add(metric("liballoc_memstats_mcache_sys_bytes"), m.mcache_sys);
  out->add(metric("liballoc_memstats_buck_hash_sys_bytes"), m.buck_hash_sys);
  out->add(metric("liballoc_memstats_gc_sys_bytes"), m.gc_sys);
  out->add(metric("liballoc_memstats_other_sys_bytes"), m.other_sys);
}

// By object size, not by class number: two classes that claim the same size must not become two
// equal series.
void add_size_classes(const MemStats& m, ProcessSeries* out) {
  std::map<uint32_t, SizeClassStats> by_bytes;  // 0 = large
  for (size_t i = 0; i < m.by_size.size(); ++i) {
    const SizeClassStats& c = m.by_size[i];
    const bool size_unknown = i > 0 && c.object_bytes == 0;
    const bool never_used = c.mallocs == 0 && c.spans == 0;
    if (size_unknown || never_used) continue;
    SizeClassStats& sum = by_bytes[i == 0 ? 0 : c.object_bytes];
    sum.mallocs += c.mallocs;
    sum.frees += c.frees;
    sum.live_bytes += c.live_bytes;
    sum.spans += c.spans;
  }
  for (const auto& [bytes, c] : by_bytes) {
    const std::string label = bytes == 0 ? "large" : std::to_string(bytes);
    const uint64_t live = c.mallocs - std::min(c.frees, c.mallocs);
    out->add(metric("liballoc_size_class_mallocs_total"), "size_class", label, c.mallocs);
    out->add(metric("liballoc_size_class_frees_total"), "size_class", label, c.frees);
    out->add(metric("liballoc_size_class_live_objects"), "size_class", label, live);
    out->add(metric("liballoc_size_class_live_bytes"), "size_class", label, c.live_bytes);
    out->add(metric("liballoc_size_class_spans"), "size_class", label, c.spans);
  }
}

void add_heap(const MemStats& m, ProcessSeries* out) {
  out->add(metric("liballoc_heap_peak_inuse_bytes"), m.peak_heap_inuse);
  out->add(metric("liballoc_heap_grows_total"), m.heap_grows);
  out->add(metric("liballoc_scavenged_bytes_total"), m.scavenged_bytes_total);
  out->add(metric("liballoc_scavenge_seconds_total"),
           number(m.scavenge_ns_total) / kNanosecondsPerSecond);
  if (m.soft_limit != 0) out->add(metric("liballoc_soft_limit_bytes"), m.soft_limit);
  out->add(metric("liballoc_soft_limit_hits_total"), m.soft_limit_hits);
  out->add(metric("liballoc_out_of_memory_total"), m.out_of_memory);
  out->add(metric("liballoc_threads"), m.threads_live);
  out->add(metric("liballoc_threads_started_total"), m.threads_started);
  out->add(metric("liballoc_spans"), "state", "in_use", m.spans_live);
  out->add(metric("liballoc_spans"), "state", "idle", m.spans_idle);
  out->add(metric("liballoc_arenas"), m.arenas);
  out->add(metric("liballoc_thread_cache_bytes"), m.thread_cache_bytes);
}

void add_os(const MemStats& m, ProcessSeries* out) {
  out->add(metric("liballoc_os_memory_bytes"), "state", "reserved", m.os_reserved);
  out->add(metric("liballoc_os_memory_bytes"), "state", "prepared", m.os_prepared);
  out->add(metric("liballoc_os_memory_bytes"), "state", "ready", m.os_ready);
  for (size_t i = 0; i < kOsCalls; ++i) {
    out->add(metric("liballoc_os_calls_total"), "call", kOsCallNames[i], m.os_calls[i]);
  }
  out->add(metric("liballoc_os_call_failures_total"), m.os_calls[kOsCalls]);
}

void add_telemetry(const Snapshot& snapshot, int64_t now_unix_ns, ProcessSeries* out) {
  const MemStats& m = snapshot.memstats;
  const ReadHealth& health = snapshot.health;
  out->add(metric("liballoc_ring_events_total"), health.ring_events);
  out->add(metric("liballoc_ring_dropped_total"), health.ring_missed - snapshot.ring_missed_at_first);
  out->add(metric("liballoc_ring_corrupt_total"), health.ring_corrupt);
  out->add(metric("liballoc_telemetry_dropped_records"), health.dropped_records);
  const int64_t age_ns = std::max<int64_t>(0, now_unix_ns - snapshot.time_unix_ns);
  out->add(metric("liballoc_epoch_age_seconds"),
           static_cast<double>(age_ns) / kNanosecondsPerSecond);
  out->add(metric("liballoc_profile_samples_live"), m.samples_live);
  out->add(metric("liballoc_profile_samples_total"), m.samples_taken);
  out->add(metric("liballoc_sampling_interval_bytes"), m.sample_period);
}

void add_cgroup(const CgroupMemory& memory, ProcessSeries* out) {
  out->add(metric("liballoc_cgroup_memory_current_bytes"), memory.current);
  out->add(metric("liballoc_cgroup_memory_max_bytes"), memory.max);
  out->add(metric("liballoc_cgroup_memory_high_bytes"), memory.high);
  if (memory.oom_kills) {
    out->add(metric("liballoc_cgroup_memory_events_total"), "event", "oom_kill", *memory.oom_kills);
  }
}

void add_process(const Target& target, const CgroupMemory& cgroup, int64_t now_unix_ns,
                 Families* families) {
  const Snapshot& snapshot = *target.snapshot;
  const ProcessIdentity& id = snapshot.identity;
  const bool running = snapshot.state == ProcessState::kRunning;
  ProcessSeries out(families, target);
  out.add(metric("liballoc_target_up"), running ? 1.0 : 0.0);
  out.add(metric("liballoc_target_info"),
          Labels{{"executable", id.executable},
                 {"version", id.liballoc_version},
                 {"container", container_id(id.cgroup)}},
          1.0);
  if (!running) return;

  const MemStats& m = snapshot.memstats;
  if (m.resident_bytes != 0) {
    out.add(metric("liballoc_process_resident_memory_bytes"), m.resident_bytes);
  }
  if (m.virtual_bytes != 0) {
    out.add(metric("liballoc_process_virtual_memory_bytes"), m.virtual_bytes);
  }
  out.add(metric("liballoc_process_start_time_seconds"),
          static_cast<double>(id.start_time_unix_ns) / kNanosecondsPerSecond);
  add_memstats(m, &out);
  add_size_classes(m, &out);
  add_heap(m, &out);
  add_os(m, &out);
  add_cgroup(cgroup, &out);
  add_telemetry(snapshot, now_unix_ns, &out);
}

void add_agent(const AgentStats& agent, const std::vector<HttpRequestCount>& requests,
               uint64_t omitted, Families* out) {
  out->add(metric("liballoc_agent_build_info"),
           {{"version", agent.version}, {"revision", agent.revision}}, 1.0);
  for (const auto& [reason, count] : agent.segments_rejected) {
    out->add(metric("liballoc_agent_segments_rejected_total"), {{"reason", reason}}, number(count));
  }
  out->add(metric("liballoc_agent_collections_total"), {}, number(agent.collections));
  out->add(metric("liballoc_agent_collect_seconds_total"), {}, agent.collect_seconds);
  out->add(metric("liballoc_agent_processes"), {{"state", "running"}},
           number(agent.processes_live));
  out->add(metric("liballoc_agent_processes"), {{"state", "exited"}},
           number(agent.processes_exited));
  out->add(metric("liballoc_agent_processes_omitted_total"), {}, number(omitted));
  for (const HttpRequestCount& request : requests) {
    out->add(metric("liballoc_agent_http_requests_total"),
             {{"path", request.path}, {"code", std::to_string(request.code)}},
             number(request.count));
  }
  for (const GrpcHandledCount& call : agent.grpc_handled) {
    // "/package.Service/Method"; what is not of that form has no service.
    const size_t slash = call.method.rfind('/');
    const bool whole = slash != std::string::npos && slash > 0;
    out->add(metric("liballoc_agent_grpc_server_handled_total"),
             {{"grpc_service", whole ? call.method.substr(1, slash - 1) : ""},
              {"grpc_method", whole ? call.method.substr(slash + 1) : call.method},
              {"grpc_code", call.code}},
             number(call.count));
  }
}

}  // namespace

MetricsCollector::MetricsCollector(size_t max_processes, CgroupReader cgroups)
    : max_processes_(max_processes), cgroups_(std::move(cgroups)) {}

std::vector<MetricFamily> MetricsCollector::collect(const CollectorInput& input) {
  Families families;
  const TargetSelection selection = select_targets(input.processes, max_processes_);
  std::map<std::string, CgroupMemory> cgroups;  // many processes share one group
  for (const Target& target : selection.targets) {
    CgroupMemory cgroup;
    if (target.snapshot->state == ProcessState::kRunning) {
      const std::string& path = target.snapshot->identity.cgroup;
      auto [entry, inserted] = cgroups.try_emplace(path);
      if (inserted) entry->second = cgroups_.read(path);
      cgroup = entry->second;
    }
    add_process(target, cgroup, input.now_unix_ns, &families);
  }
  const uint64_t omitted =
      omitted_.fetch_add(selection.omitted, std::memory_order_relaxed) + selection.omitted;
  add_agent(input.agent, input.http_requests, omitted, &families);
  return std::move(families).finish();
}

}  // namespace liballoc::agent
