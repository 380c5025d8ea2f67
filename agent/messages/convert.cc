// convert.cc - see convert.h. Must never leave a field of the model out.
#include "agent/messages/convert.h"

#include <chrono>

namespace liballoc::agent {
namespace {

void to_proto(const SizeClassStats& from, pb::SizeClassStats* out) {
  out->set_object_bytes(from.object_bytes);
  out->set_span_pages(from.span_pages);
  out->set_objects_per_span(from.objects_per_span);
  out->set_mallocs(from.mallocs);
  out->set_frees(from.frees);
  out->set_live_bytes(from.live_bytes);
  out->set_malloc_bytes(from.malloc_bytes);
  out->set_free_bytes(from.free_bytes);
  out->set_spans(from.spans);
  out->set_slots(from.slots);
  out->set_requested_bytes_estimate(from.requested_bytes_estimate);
}

void to_proto(const std::array<uint64_t, 8>& calls, pb::OsCalls* out) {
  out->set_reserve(calls[0]);
  out->set_map(calls[1]);
  out->set_used(calls[2]);
  out->set_unused(calls[3]);
  out->set_fault(calls[4]);
  out->set_alloc(calls[5]);
  out->set_free(calls[6]);
  out->set_failures(calls[7]);
}

}  // namespace

int64_t unix_now_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void to_proto(int64_t unix_ns, google::protobuf::Timestamp* out) {
  int64_t seconds = unix_ns / kNsPerSecond;
  int64_t nanos = unix_ns % kNsPerSecond;
  if (nanos < 0) {  // nanos count forwards, also before 1970
    nanos += kNsPerSecond;
    seconds -= 1;
  }
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(nanos));
}

pb::ProcessState to_proto(ProcessState state) {
  switch (state) {
    case ProcessState::kRunning:
      return pb::PROCESS_STATE_RUNNING;
    case ProcessState::kExitedClean:
      return pb::PROCESS_STATE_EXITED;
    case ProcessState::kKilled:
      return pb::PROCESS_STATE_KILLED;
    case ProcessState::kFaulted:
      return pb::PROCESS_STATE_FAULTED;
  }
  return pb::PROCESS_STATE_UNSPECIFIED;
}

void to_proto(const Snapshot& snapshot, pb::ProcessRef* out) {
  const ProcessIdentity& identity = snapshot.identity;
  out->set_pid(identity.pid);
  out->set_key(identity.key);
  if (identity.start_time_unix_ns != 0) {
    to_proto(identity.start_time_unix_ns, out->mutable_start_time());
  }
  out->set_state(to_proto(snapshot.state));
}

void to_proto(const Snapshot& snapshot, pb::Process* out) {
  const ProcessIdentity& identity = snapshot.identity;
  to_proto(snapshot, out->mutable_ref());
  to_proto(snapshot.time_unix_ns, out->mutable_collect_time());
  if (snapshot.exit_time_unix_ns != 0) {
    to_proto(snapshot.exit_time_unix_ns, out->mutable_exit_time());
  }
  out->set_uid(identity.uid);
  out->set_executable(identity.executable);
  for (const std::string& word : identity.command_line) out->add_command_line(word);
  out->set_service(identity.service);
  out->set_cgroup(identity.cgroup);
  out->set_hostname(identity.hostname);
  out->set_liballoc_version(identity.liballoc_version);
  out->set_build_id(identity.build_id);
  out->set_pid_namespace(identity.pid_namespace);
  out->set_forked_from(identity.forked_from);
  out->set_start_ticks(identity.start_ticks);
  out->set_heap_alloc(snapshot.memstats.heap_alloc);
  out->set_sys(snapshot.memstats.sys);
  out->set_resident_bytes(snapshot.memstats.resident_bytes);
  if (!snapshot.faults.empty()) out->set_fault(snapshot.faults.front().message);
}

void to_proto(const MemStats& stats, pb::MemStats* out) {
  out->set_epoch(stats.epoch);
  to_proto(stats.time_unix_ns, out->mutable_time());
  out->set_alloc(stats.alloc);
  out->set_total_alloc(stats.total_alloc);
  out->set_sys(stats.sys);
  out->set_mallocs(stats.mallocs);
  out->set_frees(stats.frees);
  out->set_heap_alloc(stats.heap_alloc);
  out->set_heap_sys(stats.heap_sys);
  out->set_heap_idle(stats.heap_idle);
  out->set_heap_inuse(stats.heap_inuse);
  out->set_heap_released(stats.heap_released);
  out->set_heap_objects(stats.heap_objects);
  out->set_stack_inuse(stats.stack_inuse);
  out->set_stack_sys(stats.stack_sys);
  out->set_mspan_inuse(stats.mspan_inuse);
  out->set_mspan_sys(stats.mspan_sys);
  out->set_mcache_inuse(stats.mcache_inuse);
  out->set_mcache_sys(stats.mcache_sys);
  out->set_buck_hash_sys(stats.buck_hash_sys);
  out->set_gc_sys(stats.gc_sys);
  out->set_other_sys(stats.other_sys);
  out->set_os_reserved(stats.os_reserved);
  out->set_os_prepared(stats.os_prepared);
  out->set_os_ready(stats.os_ready);
  to_proto(stats.os_calls, out->mutable_os_calls());
  out->set_peak_heap_inuse(stats.peak_heap_inuse);
  if (stats.peak_heap_inuse_time_unix_ns != 0) {
    to_proto(stats.peak_heap_inuse_time_unix_ns, out->mutable_peak_heap_inuse_time());
  }
  out->set_scavenged_bytes_total(stats.scavenged_bytes_total);
  out->set_scavenge_ns_total(stats.scavenge_ns_total);
  out->set_heap_grows(stats.heap_grows);
  out->set_heap_grow_bytes(stats.heap_grow_bytes);
  out->set_soft_limit(stats.soft_limit);
  out->set_soft_limit_hits(stats.soft_limit_hits);
  out->set_out_of_memory(stats.out_of_memory);
  out->set_sample_period(stats.sample_period);
  out->set_samples_taken(stats.samples_taken);
  out->set_samples_live(stats.samples_live);
  out->set_samples_truncated(stats.samples_truncated);
  out->set_threads_live(stats.threads_live);
  out->set_threads_started(stats.threads_started);
  out->set_spans_live(stats.spans_live);
  out->set_spans_idle(stats.spans_idle);
  out->set_arenas(stats.arenas);
  out->set_tiny_allocs(stats.tiny_allocs);
  out->set_thread_cache_bytes(stats.thread_cache_bytes);
  out->set_segment_bytes(stats.segment_bytes);
  out->set_resident_bytes(stats.resident_bytes);
  out->set_virtual_bytes(stats.virtual_bytes);
  out->set_next_trigger(stats.next_trigger);
  for (const SizeClassStats& size_class : stats.by_size) {
    to_proto(size_class, out->add_by_size());
  }
}

void to_proto(const ReadHealth& health, pb::ReadHealth* out) {
  out->set_torn_records(health.torn_records);
  out->set_corrupt_records(health.corrupt_records);
  out->set_dropped_records(health.dropped_records);
  out->set_ring_events(health.ring_events);
  out->set_ring_read(health.ring_read);
  out->set_ring_missed(health.ring_missed);
  out->set_ring_corrupt(health.ring_corrupt);
  out->set_growth_failures(health.growth_failures);
}

}  // namespace liballoc::agent
