// freed_samples.cc - see freed_samples.h.
#include "liballoc/core/freed_samples.h"

#include <atomic>

#include "liballoc/profile/stack.h"
#include "liballoc/telemetry/word_copy.h"

namespace liballoc {

namespace {

// Odd while being written. The writer's odd store is a release of nothing and its fence orders it
// before the words; its even store releases them to the acquire in find_freed_sample().
struct Entry {
  std::atomic<uint64_t> sequence;
  FreedSample sample;
};
static_assert(sizeof(FreedSample) % 8 == 0);

constinit Entry g_entries[kFreedSamples] = {};
constinit std::atomic<uint64_t> g_next{0};  // each writer has an entry of its own

// When the next stack would be due if none had been walked early: it may lie a burst ahead. Relaxed: paces, orders nothing.
constinit std::atomic<uint64_t> g_stack_due_ns{0};

bool stack_is_due(uint64_t now_ns) {
  uint64_t due = g_stack_due_ns.load(std::memory_order_relaxed);
  const uint64_t from = due > now_ns ? due : now_ns;
  if (from - now_ns >= kFreedStackBurst * kFreedStackIntervalNs) return false;
  return g_stack_due_ns.compare_exchange_strong(due, from + kFreedStackIntervalNs, std::memory_order_relaxed);
}

bool covers(const FreedSample& s, uint64_t address) {
  return s.address != 0 && address - s.address < s.allocated_bytes;
}

}  // namespace

void note_freed_sample(const liballoc_abi_sample& sample, uint32_t tid, uint64_t now_ns) {
  FreedSample freed;
  freed.address = sample.address;
  freed.allocated_bytes = sample.allocated_bytes;
  freed.requested_bytes = sample.requested_bytes;
  freed.freed_ns = now_ns;
  freed.alloc_tid = sample.tid;
  freed.free_tid = tid;
  freed.alloc_stack = sample.stack;
  freed.depth = 0;
  if (stack_is_due(now_ns)) {
    uintptr_t pcs[kFreedDepth];
    freed.depth = capture_stack(pcs, kFreedDepth, 2).depth;
    for (uint32_t i = 0; i < freed.depth; i++) freed.pcs[i] = pcs[i];
  }
  Entry& entry = g_entries[g_next.fetch_add(1, std::memory_order_relaxed) % kFreedSamples];
  uint64_t sequence = entry.sequence.load(std::memory_order_relaxed);
  // A writer that was overtaken by a whole round is still at it: what it keeps is older anyway, so
  // this one is dropped.
  if (sequence % 2 != 0 ||
      !entry.sequence.compare_exchange_strong(sequence, sequence + 1, std::memory_order_relaxed)) {
    return;
  }
  std::atomic_thread_fence(std::memory_order_release);
  store_words(&entry.sample, &freed, offsetof(FreedSample, pcs) + freed.depth * sizeof(freed.pcs[0]));
  entry.sequence.store(sequence + 2, std::memory_order_release);
}

bool find_freed_sample(uint64_t address, FreedSample* out) {
  bool found = false;
  for (const Entry& entry : g_entries) {
    FreedSample copy;
    const uint64_t before = entry.sequence.load(std::memory_order_acquire);
    if (before == 0 || before % 2 != 0) continue;
    load_words(&copy, &entry.sample, sizeof(copy));
    std::atomic_thread_fence(std::memory_order_acquire);
    if (entry.sequence.load(std::memory_order_relaxed) != before) continue;
    if (!covers(copy, address) || (found && copy.freed_ns < out->freed_ns)) continue;
    *out = copy;
    found = true;
  }
  return found;
}

void forget_freed_samples() {
  for (Entry& entry : g_entries) entry.sequence.store(0, std::memory_order_relaxed);
  g_stack_due_ns.store(0, std::memory_order_relaxed);
}

}  // namespace liballoc
