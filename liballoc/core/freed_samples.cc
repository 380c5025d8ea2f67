// freed_samples.cc - see freed_samples.h.
#include "liballoc/core/freed_samples.h"

#include <atomic>

#include "liballoc/base/compiler.h"
#include "liballoc/base/lanes.h"
#include "liballoc/telemetry/word_copy.h"

namespace liballoc {

namespace {

// Odd while being written. The fence behind the writer's odd store orders it before the words; its even store releases them to
// the acquire in read().
struct Entry {
  std::atomic<uint64_t> sequence;
  FreedSample sample;
};
static_assert(sizeof(FreedSample) % 8 == 0);

struct alignas(kCacheLineBytes) Lane {
  uint64_t next = 0;  // how many entries were ever written
  Entry entries[kFreedSamples] = {};
};
constinit Lane g_lanes[kLanes] = {};

// When the next stack would be due if none had been walked early: it may lie a burst ahead. Relaxed: paces, orders nothing.
constinit std::atomic<uint64_t> g_stack_due_ns{0};

// False while it is being written, or has never been.
bool read(const Entry& entry, FreedSample* out) {
  const uint64_t before = entry.sequence.load(std::memory_order_acquire);  // pairs with the writer's even store
  if (before == 0 || before % 2 != 0) return false;
  load_words(out, &entry.sample, sizeof(*out));
  std::atomic_thread_fence(std::memory_order_acquire);
  return entry.sequence.load(std::memory_order_relaxed) == before;
}

bool covers(const FreedSample& s, uint64_t address) {
  return s.address != 0 && address - s.address < s.allocated_bytes;
}

}  // namespace

bool freed_stack_is_due(uint64_t now_ns) {
  uint64_t due = g_stack_due_ns.load(std::memory_order_relaxed);
  const uint64_t from = due > now_ns ? due : now_ns;
  if (from - now_ns >= kFreedStackBurst * kFreedStackIntervalNs) return false;
  return g_stack_due_ns.compare_exchange_strong(due, from + kFreedStackIntervalNs, std::memory_order_relaxed);
}

void keep_freed_sample(const liballoc_abi_sample& sample, uint32_t tid, uint64_t now_ns, const uintptr_t* pcs, uint32_t depth,
                       uint32_t lane) {
  FreedSample freed;
  freed.address = sample.address;
  freed.allocated_bytes = sample.allocated_bytes;
  freed.requested_bytes = sample.requested_bytes;
  freed.freed_ns = now_ns;
  freed.alloc_tid = sample.tid;
  freed.free_tid = tid;
  freed.alloc_stack = sample.stack;
  freed.depth = depth < kFreedDepth ? depth : kFreedDepth;
  for (uint32_t i = 0; i < freed.depth; i++) freed.pcs[i] = pcs[i];
  Entry& entry = g_lanes[lane].entries[g_lanes[lane].next++ % kFreedSamples];
  const uint64_t sequence = entry.sequence.load(std::memory_order_relaxed) | 1;
  entry.sequence.store(sequence, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  store_words(&entry.sample, &freed, offsetof(FreedSample, pcs) + freed.depth * sizeof(freed.pcs[0]));
  entry.sequence.store(sequence + 1, std::memory_order_release);
}

bool find_freed_sample(uint64_t address, FreedSample* out) {
  bool found = false;
  for (const Lane& lane : g_lanes) {
    for (const Entry& entry : lane.entries) {
      FreedSample copy;
      if (!read(entry, &copy) || !covers(copy, address) || (found && copy.freed_ns < out->freed_ns)) continue;
      *out = copy;
      found = true;
    }
  }
  return found;
}

void forget_freed_samples() {
  for (Lane& lane : g_lanes) {
    if (lane.next == 0) continue;  // never used: its pages need not be touched
    for (Entry& entry : lane.entries) entry.sequence.store(0, std::memory_order_relaxed);
  }
  g_stack_due_ns.store(0, std::memory_order_relaxed);
}

}  // namespace liballoc
