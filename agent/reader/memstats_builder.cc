// memstats_builder.cc - see memstats_builder.h. Must never let a sum wrap or a difference go below
// zero.
#include "agent/reader/memstats_builder.h"

#include <algorithm>

#include "agent/model/profile_math.h"
#include "agent/reader/counter_math.h"

namespace liballoc::agent {
namespace {

constexpr size_t kClasses = LIBALLOC_ABI_SIZE_CLASSES;

// Cumulative figures of the memstats record; those of the classes are treated class by class.
constexpr uint64_t MemStats::*kCounters[] = {
    &MemStats::scavenged_bytes_total, &MemStats::scavenge_ns_total, &MemStats::heap_grows,
    &MemStats::heap_grow_bytes,       &MemStats::soft_limit_hits,   &MemStats::out_of_memory,
    &MemStats::samples_taken,         &MemStats::samples_truncated, &MemStats::threads_started,
    &MemStats::tiny_allocs,
};

void add_threads(const std::vector<liballoc_abi_thread>& threads, MemStats& out) {
  uint64_t tiny_mallocs = 0;
  for (const liballoc_abi_thread& thread : threads) {
    tiny_mallocs = saturating_add(tiny_mallocs, thread.tiny_mallocs);
    for (size_t cache_class = 0; cache_class < LIBALLOC_ABI_CACHE_CLASSES; ++cache_class) {
      const liballoc_abi_class_counter& c = thread.classes[cache_class];
      SizeClassStats& stats = out.by_size[cache_class % kClasses];
      stats.mallocs =
          saturating_add(stats.mallocs, objects_handed_out(c.granted, c.granted_low, c.countdown));
      stats.frees = saturating_add(stats.frees, c.frees);
    }
    SizeClassStats& large = out.by_size[0];
    large.malloc_bytes = saturating_add(large.malloc_bytes, thread.large_malloc_bytes);
    large.free_bytes = saturating_add(large.free_bytes, thread.large_free_bytes);
    out.thread_cache_bytes = saturating_add(out.thread_cache_bytes, thread.cached_bytes);
  }
  // The blocks are up to date; the record has their sum as of its publication.
  out.tiny_allocs = std::max(out.tiny_allocs, tiny_mallocs);
}

void add_spans(const SharedList<Span>& spans, MemStats& out) {
  for (const Span& span : spans) {
    SizeClassStats* stats = nullptr;
    if (span.state == LIBALLOC_SPAN_LARGE) {
      stats = &out.by_size[0];
      stats->slots += 1;
    } else if (span.state == LIBALLOC_SPAN_PARTIAL || span.state == LIBALLOC_SPAN_FULL ||
               span.state == LIBALLOC_SPAN_CACHED) {
      stats = &out.by_size[span.size_class];
      stats->slots += span.objects;
    }
    if (stats != nullptr) stats->spans += 1;
  }
}

void add_requested(const std::vector<Bucket>& buckets, MemStats& out) {
  std::array<double, kClasses> requested{};
  for (const Bucket& bucket : buckets) {
    requested[bucket.cache_class % kClasses] += estimate_live_bytes(bucket);
  }
  for (size_t i = 0; i < kClasses; ++i) {
    out.by_size[i].requested_bytes_estimate = saturating_round(requested[i]);
  }
}

void copy_record(const liballoc_abi_memstats& m, const WallClock& clock, MemStats& out) {
  out.heap_inuse = m.heap_inuse;
  out.heap_idle = m.heap_idle;
  out.heap_sys = saturating_add(m.heap_inuse, m.heap_idle);
  out.heap_released = std::min(m.heap_released, m.heap_idle);
  out.mspan_inuse = m.mspan_inuse;
  out.mspan_sys = m.mspan_sys;
  out.mcache_inuse = m.mcache_inuse;
  out.mcache_sys = m.mcache_sys;
  out.buck_hash_sys = m.buck_hash_sys;
  out.gc_sys = m.gc_sys;
  out.other_sys = m.other_sys;
  out.stack_inuse = m.stack_inuse;
  out.stack_sys = m.stack_sys;
  out.os_reserved = m.os_reserved;
  out.os_prepared = m.os_prepared;
  out.os_ready = m.os_ready;
  std::copy(std::begin(m.os_calls), std::end(m.os_calls), out.os_calls.begin());
  out.peak_heap_inuse = m.peak_heap_inuse;
  out.peak_heap_inuse_time_unix_ns = clock.to_unix_ns(m.peak_heap_inuse_ns);
  out.scavenged_bytes_total = m.scavenged_bytes;
  out.scavenge_ns_total = m.scavenge_ns;
  out.heap_grows = m.heap_grows;
  out.heap_grow_bytes = m.heap_grow_bytes;
  out.next_trigger = m.next_trigger;
  out.soft_limit = m.soft_limit;
  out.soft_limit_hits = m.soft_limit_hits;
  out.out_of_memory = m.out_of_memory;
  out.sample_period = m.sample_period;
  out.samples_taken = m.samples_taken;
  out.samples_live = m.samples_live;
  out.samples_truncated = m.samples_truncated;
  out.threads_live = m.threads_live;
  out.threads_started = m.threads_started;
  out.spans_live = m.spans_live;
  out.spans_idle = m.spans_idle;
  out.tiny_allocs = m.tiny_allocs;
  out.segment_bytes = m.segment_bytes;
  out.arenas = m.arenas;
}

}  // namespace

void MemStatsBuilder::keep_monotone(MemStats& now) {
  const MemStats& last = *last_;
  for (uint64_t MemStats::*counter : kCounters) {
    now.*counter = std::max(now.*counter, last.*counter);
  }
  for (size_t i = 0; i < now.os_calls.size(); ++i) {
    now.os_calls[i] = std::max(now.os_calls[i], last.os_calls[i]);
  }
  if (now.peak_heap_inuse < last.peak_heap_inuse) {
    now.peak_heap_inuse = last.peak_heap_inuse;
    now.peak_heap_inuse_time_unix_ns = last.peak_heap_inuse_time_unix_ns;
  }
  for (size_t i = 0; i < kClasses; ++i) {
    SizeClassStats& stats = now.by_size[i];
    const SizeClassStats& before = last.by_size[i];
    stats.mallocs = std::max(stats.mallocs, before.mallocs);
    stats.frees = std::max(stats.frees, before.frees);
    stats.malloc_bytes = std::max(stats.malloc_bytes, before.malloc_bytes);
    stats.free_bytes = std::max(stats.free_bytes, before.free_bytes);
  }
}

MemStats MemStatsBuilder::build(const MemStatsInput& input, const WallClock& clock,
                                ReadHealth& health) {
  MemStats out;
  out.by_size.resize(kClasses);
  if (input.memstats.heap_sys !=
      saturating_add(input.memstats.heap_inuse, input.memstats.heap_idle)) {
    ++health.corrupt_records;
  }
  copy_record(input.memstats, clock, out);
  add_threads(input.threads, out);
  add_spans(input.spans, out);
  add_requested(input.buckets, out);
  for (size_t i = 0; i < kClasses; ++i) {
    SizeClassStats& stats = out.by_size[i];
    stats.object_bytes = input.size_classes[i].object_bytes;
    stats.span_pages = input.size_classes[i].span_pages;
    stats.objects_per_span = input.size_classes[i].objects;
    if (i == 0) continue;
    stats.malloc_bytes = saturating_mul(stats.mallocs, stats.object_bytes);
    stats.free_bytes = saturating_mul(stats.frees, stats.object_bytes);
  }
  if (last_) keep_monotone(out);
  for (SizeClassStats& stats : out.by_size) {
    // A block read late may hold frees of objects that a block read early had not handed out yet.
    stats.frees = std::min(stats.frees, stats.mallocs);
    stats.free_bytes = std::min(stats.free_bytes, stats.malloc_bytes);
    stats.live_bytes = stats.malloc_bytes - stats.free_bytes;
    out.mallocs = saturating_add(out.mallocs, stats.mallocs);
    out.frees = saturating_add(out.frees, stats.frees);
    out.total_alloc = saturating_add(out.total_alloc, stats.malloc_bytes);
    out.heap_alloc = saturating_add(out.heap_alloc, stats.live_bytes);
  }
  out.alloc = out.heap_alloc;
  out.heap_objects = saturating_sub(out.mallocs, out.frees);
  for (const uint64_t part : {out.heap_sys, out.stack_sys, out.mspan_sys, out.mcache_sys,
                              out.buck_hash_sys, out.gc_sys, out.other_sys}) {
    out.sys = saturating_add(out.sys, part);
  }
  last_ = out;
  return out;
}

}  // namespace liballoc::agent
