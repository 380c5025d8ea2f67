// catalog.h - every metric the agent exports, in the order of /metrics: name, help, type, unit,
// labels.
//
// The one list: the collector can only add what stands here (a wrong name does not compile), and
// the documentation and the tests read it. Must never contain a metric that nothing fills. Help is
// one line without a backslash.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace liballoc::agent {

enum class MetricKind { kCounter, kGauge, kInfo };

struct MetricInfo {
  std::string_view name;
  MetricKind kind;
  std::string_view unit;    // "bytes", "seconds" or empty for plain counts
  std::string_view labels;  // comma-separated
  std::string_view help;
};

// clang-format off
inline constexpr auto kCatalog = std::to_array<MetricInfo>({
    // The target itself.
    {"liballoc_target_up", MetricKind::kGauge, "", "pid,service", "1 while the process runs, 0 when it has ended and is retained."},
    {"liballoc_target_info", MetricKind::kInfo, "", "pid,service,executable,version,container", "Who the process is; version is that of its liballoc, container is its id where the control group names one."},
    {"liballoc_process_resident_memory_bytes", MetricKind::kGauge, "bytes", "pid,service", "Resident memory of the process as the kernel counts it."},
    {"liballoc_process_virtual_memory_bytes", MetricKind::kGauge, "bytes", "pid,service", "Virtual memory of the process as the kernel counts it."},
    {"liballoc_process_start_time_seconds", MetricKind::kGauge, "seconds", "pid,service", "Start of the process in seconds since the Unix epoch."},

    // MemStats: the meanings of Go's runtime.MemStats.
    {"liballoc_memstats_alloc_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of live objects; the same as heap_alloc_bytes."},
    {"liballoc_memstats_alloc_bytes_total", MetricKind::kCounter, "bytes", "pid,service", "Bytes of all objects ever allocated, freed ones included."},
    {"liballoc_memstats_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes obtained from the OS: the sum of all sys_bytes metrics."},
    {"liballoc_memstats_mallocs_total", MetricKind::kCounter, "", "pid,service", "Objects ever allocated."},
    {"liballoc_memstats_frees_total", MetricKind::kCounter, "", "pid,service", "Objects ever freed."},
    {"liballoc_memstats_heap_alloc_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of live objects."},
    {"liballoc_memstats_heap_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of the heap obtained from the OS: in use plus idle."},
    {"liballoc_memstats_heap_idle_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes in spans without any object."},
    {"liballoc_memstats_heap_inuse_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes in spans with at least one object, or kept by a thread cache."},
    {"liballoc_memstats_heap_released_bytes", MetricKind::kGauge, "bytes", "pid,service", "Part of heap_idle_bytes that has been given back to the OS."},
    {"liballoc_memstats_heap_objects", MetricKind::kGauge, "", "pid,service", "Live objects: mallocs minus frees."},
    {"liballoc_memstats_mspan_inuse_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of span descriptors in use."},
    {"liballoc_memstats_mspan_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes obtained from the OS for span descriptors."},
    {"liballoc_memstats_mcache_inuse_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of thread cache descriptors in use."},
    {"liballoc_memstats_mcache_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes obtained from the OS for thread cache descriptors."},
    {"liballoc_memstats_buck_hash_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of profile tables, the telemetry segment included."},
    {"liballoc_memstats_gc_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of arena metadata: page maps and bitmaps."},
    {"liballoc_memstats_other_sys_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes obtained from the OS for anything else."},

    // Size classes; a class appears with its first object.
    {"liballoc_size_class_mallocs_total", MetricKind::kCounter, "", "pid,service,size_class", "Objects ever allocated, by object size in bytes; large objects have a span of their own."},
    {"liballoc_size_class_frees_total", MetricKind::kCounter, "", "pid,service,size_class", "Objects ever freed, by object size in bytes."},
    {"liballoc_size_class_live_objects", MetricKind::kGauge, "", "pid,service,size_class", "Live objects, by object size in bytes."},
    {"liballoc_size_class_live_bytes", MetricKind::kGauge, "bytes", "pid,service,size_class", "Bytes of live objects, by object size in bytes."},
    {"liballoc_size_class_spans", MetricKind::kGauge, "", "pid,service,size_class", "Spans in use, those kept by thread caches included, by object size in bytes."},

    // The heap and what lies below it.
    {"liballoc_heap_peak_inuse_bytes", MetricKind::kGauge, "bytes", "pid,service", "Highest heap_inuse_bytes since the process started."},
    {"liballoc_heap_grows_total", MetricKind::kCounter, "", "pid,service", "Times the heap had to grow."},
    {"liballoc_scavenged_bytes_total", MetricKind::kCounter, "bytes", "pid,service", "Bytes the scavenger gave back to the OS."},
    {"liballoc_scavenge_seconds_total", MetricKind::kCounter, "seconds", "pid,service", "Time spent giving memory back to the OS."},
    {"liballoc_soft_limit_bytes", MetricKind::kGauge, "bytes", "pid,service", "Soft memory limit; absent when none is set."},
    {"liballoc_soft_limit_hits_total", MetricKind::kCounter, "", "pid,service", "Times the soft memory limit was reached."},
    {"liballoc_out_of_memory_total", MetricKind::kCounter, "", "pid,service", "Requests refused with ENOMEM."},
    {"liballoc_threads", MetricKind::kGauge, "", "pid,service", "Threads that have a cache now."},
    {"liballoc_threads_started_total", MetricKind::kCounter, "", "pid,service", "Threads that ever had a cache."},
    {"liballoc_spans", MetricKind::kGauge, "", "pid,service,state", "Spans, by state: in_use or idle."},
    {"liballoc_arenas", MetricKind::kGauge, "", "pid,service", "Arenas of the heap."},
    {"liballoc_thread_cache_bytes", MetricKind::kGauge, "bytes", "pid,service", "Bytes of free slots in thread caches, as of each thread's last slow path."},
    {"liballoc_os_memory_bytes", MetricKind::kGauge, "bytes", "pid,service,state", "Address space of the allocator, by state: reserved, prepared or ready."},
    {"liballoc_os_calls_total", MetricKind::kCounter, "", "pid,service,call", "Calls to the OS memory layer, by call."},
    {"liballoc_os_call_failures_total", MetricKind::kCounter, "", "pid,service", "Calls to the OS memory layer that failed."},

    // The control group of the process, where it is readable (version 2 only).
    {"liballoc_cgroup_memory_current_bytes", MetricKind::kGauge, "bytes", "pid,service", "Memory charged to the control group of the process."},
    {"liballoc_cgroup_memory_max_bytes", MetricKind::kGauge, "bytes", "pid,service", "Hard memory limit of the control group; absent when there is none."},
    {"liballoc_cgroup_memory_high_bytes", MetricKind::kGauge, "bytes", "pid,service", "Throttling limit of the control group; absent when there is none."},
    {"liballoc_cgroup_memory_events_total", MetricKind::kCounter, "", "pid,service,event", "Memory events of the control group, by event."},

    // Telemetry and sampling of the target.
    {"liballoc_ring_events_total", MetricKind::kCounter, "", "pid,service", "Events the process ever wrote to its ring."},
    {"liballoc_ring_dropped_total", MetricKind::kCounter, "", "pid,service", "Events that were overwritten before the agent read them, since it found the process."},
    {"liballoc_ring_corrupt_total", MetricKind::kCounter, "", "pid,service", "Records of the ring left out because their values cannot be."},
    {"liballoc_telemetry_dropped_records", MetricKind::kGauge, "", "pid,service", "Records that the process had no room for in its segment, and live samples left out for want of their bucket."},
    {"liballoc_epoch_age_seconds", MetricKind::kGauge, "seconds", "pid,service", "Age of the figures of this process at the time of the scrape."},
    {"liballoc_profile_samples_live", MetricKind::kGauge, "", "pid,service", "Sampled objects that are alive."},
    {"liballoc_profile_samples_total", MetricKind::kCounter, "", "pid,service", "Objects ever sampled."},
    {"liballoc_sampling_interval_bytes", MetricKind::kGauge, "bytes", "pid,service", "Mean bytes between samples; 0 means that sampling is off."},

    // The agent itself.
    {"liballoc_agent_build_info", MetricKind::kInfo, "", "version,revision", "Version and source revision of the agent."},
    {"liballoc_agent_segments_rejected_total", MetricKind::kCounter, "", "reason", "Segments the agent refused to read, by reason."},
    {"liballoc_agent_collections_total", MetricKind::kCounter, "", "", "Completed passes over all segments."},
    {"liballoc_agent_collect_seconds_total", MetricKind::kCounter, "seconds", "", "Time spent in passes over all segments."},
    {"liballoc_agent_processes", MetricKind::kGauge, "", "state", "Processes the agent knows, by state: running or exited."},
    {"liballoc_agent_processes_omitted_total", MetricKind::kCounter, "", "", "Processes left out of replies to scrapes because there were too many."},
    {"liballoc_agent_http_requests_total", MetricKind::kCounter, "", "path,code", "HTTP requests answered, by route and status code; 499 means that the client went away."},
    {"liballoc_agent_grpc_server_handled_total", MetricKind::kCounter, "", "grpc_service,grpc_method,grpc_code", "gRPC calls that ended, by service, method and status code."},
});
// clang-format on

// Position of a metric in kCatalog; a name that is not there is a compile error.
consteval size_t metric(std::string_view name) {
  for (size_t i = 0; i < kCatalog.size(); ++i) {
    if (kCatalog[i].name == name) return i;
  }
  throw "no such metric in the catalog";
}

}  // namespace liballoc::agent
