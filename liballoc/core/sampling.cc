// sampling.cc - see sampling.h.
#include "liballoc/core/sampling.h"

#include <limits>

#include "liballoc/base/atomic.h"
#include "liballoc/base/lanes.h"
#include "liballoc/core/freed_samples.h"
#include "liballoc/core/labels.h"
#include "liballoc/core/runtime.h"
#include "liballoc/heap/size_trust.h"
#include "liballoc/heap/specials.h"
#include "liballoc/os/os.h"
#include "liballoc/profile/sampler.h"
#include "liballoc/profile/stack.h"

namespace liballoc {

namespace {
constinit RelaxedCounter g_period;  // read by every thread, set at start-up and by fork

// Guards what the lane keeps in specials, in the segment and among freed samples; fork takes all, and so finds none of it halfway.
struct alignas(kCacheLineBytes) Lane {
  SpinLock lock{LockRank::kSamplingLane};
};
constinit Lane g_lanes[kLanes] = {};
}  // namespace

uint64_t sample_period() { return g_period.load(); }
void set_sample_period(uint64_t mean) { g_period.set(mean == 0 ? 0 : effective_sample_mean(mean)); }

uint32_t draw_countdown(Thread& thread, uint32_t object_bytes) {
  const uint64_t period = sample_period();
  if (period == 0) return std::numeric_limits<int32_t>::max();
  const int32_t step = next_sample(thread.random, period);
  // The object that holds the step's last byte is the one to sample; this many come before it.
  return step <= 1 ? 0 : static_cast<uint32_t>(step - 1) / object_bytes;
}

int64_t draw_next_sample(Thread& thread) {
  const uint64_t period = sample_period();
  if (period == 0) return std::numeric_limits<int64_t>::max();
  return next_sample(thread.random, period);
}

void sample_object(Thread& thread, Span* span, uint32_t slot, void* object, size_t requested, size_t allocated) {
  const uint64_t period = sample_period();
  if (period == 0 || !g_segment.active()) return;
  uintptr_t pcs[kMaxStackDepth];
  const CapturedStack stack = capture_stack(pcs, kMaxStackDepth, 1, &thread.walks);
  const uint64_t now = monotonic_ns();
  liballoc_abi_sample sample = {};
  sample.stack = stack.known;
  if (sample.stack == 0) {
    sample.stack = g_segment.intern_stack(pcs, stack.depth, stack.truncated, hash_stack(pcs, stack.depth), now);
    if (sample.stack == 0) return;
    if (stack.depth != 0) thread.walks.keep(sample.stack);
  }
  sample.address = reinterpret_cast<uintptr_t>(object);
  sample.requested_bytes = requested;
  sample.allocated_bytes = allocated;
  sample.time_ns = now;
  sample.period = period;
  sample.tid = thread.tid;
  sample.label_set = label_set_of(thread);
  // Every lock, and the mark, before any store: each waits for all stores before it, and those that follow are to cold lines, or to such as
  // other processors had last.
  LockHolder hold_lane(g_lanes[thread.lane].lock);
  const bool can_mark = reserve_special(thread.lane);
  LockHolder hold_span(span->specials_lock);
  mark_page(sample.address);
  const uint32_t record = g_segment.add_sample(&sample, span->cache_class, stack.truncated, thread.lane);
  if (record != 0) {
    if (can_mark && add_special(g_heap.map(), span, slot, record, thread.lane)) return;
    static_cast<void>(g_segment.remove_sample(record, thread.tid, now, nullptr, thread.lane));  // its free would not find it
  }
  unmark_page(sample.address);
}

void unsample_object(Thread& thread, Span* span, uint32_t slot, bool resized) {
  liballoc_abi_sample sample = {};
  uint64_t now = 0;
  {
    LockHolder hold_lane(g_lanes[thread.lane].lock);
    LockHolder hold_span(span->specials_lock);
    const uint32_t record = find_special(span, slot);
    if (record == 0) return;
    unmark_page(span->slot_address(slot));
    now = monotonic_ns();
    const bool lived = g_segment.remove_sample(record, thread.tid, now, &sample, thread.lane);
    static_cast<void>(remove_special(g_heap.map(), span, slot, thread.lane));
    if (!lived || resized) return;
    if (!freed_stack_is_due(now)) return keep_freed_sample(sample, thread.tid, now, nullptr, 0, thread.lane);
  }
  uintptr_t pcs[kFreedDepth];
  const uint32_t depth = capture_stack(pcs, kFreedDepth, 1).depth;
  LockHolder hold_lane(g_lanes[thread.lane].lock);
  keep_freed_sample(sample, thread.tid, now, pcs, depth, thread.lane);
}

uint32_t sample_of(const Span* span, uint32_t slot) {
  LockHolder hold_lane(g_lanes[0].lock);  // any: so that no fork comes between
  LockHolder hold_span(span->specials_lock);
  return find_special(span, slot);
}

void sampling_lock_for_fork() {
  for (Lane& lane : g_lanes) lane.lock.lock();
}

void sampling_unlock_after_fork(bool in_child) {
  for (Lane& lane : g_lanes) {
    if (in_child) lane.lock.reset_after_fork();
    else lane.lock.unlock();
  }
}

}  // namespace liballoc
