// freed_samples.h - the last sampled objects that were freed in each lane, each with the stack of its free: what
// a report of a double free can say of the first one. Fixed size, no lock, no allocation; readers pass
// over an entry that is being written.
#pragma once

#include <cstdint>

#include "liballoc/telemetry_abi.h"

namespace liballoc {

inline constexpr uint32_t kFreedSamples = 64;  // of each lane (base/lanes.h)
inline constexpr uint32_t kFreedDepth = 30;
// Stacks of frees are walked for so many at once, then one in each interval: a program that frees thousands of samples a second
// keeps the others without.
inline constexpr uint64_t kFreedStackBurst = 64;
inline constexpr uint64_t kFreedStackIntervalNs = 1'000'000;

struct FreedSample {
  uint64_t address;
  uint64_t allocated_bytes;
  uint64_t requested_bytes;
  uint64_t freed_ns;
  uint32_t alloc_tid, free_tid;
  uint32_t alloc_stack;  // stack record number + 1 of the segment
  uint32_t depth;
  uint64_t pcs[kFreedDepth];  // of the free, leaf first; depth 0: not walked
};

// Whether the stack of a sampled object's free at this time is to be walked; if so, it counts as walked.
[[nodiscard]] bool freed_stack_is_due(uint64_t now_ns);
// Keeps the sample and the stack of its free, leaf first (depth 0: not walked), in place of the lane's oldest. Calls that name the same
// lane are kept apart by the caller.
void keep_freed_sample(const liballoc_abi_sample& sample, uint32_t tid, uint64_t now_ns, const uintptr_t* pcs, uint32_t depth,
                       uint32_t lane = 0);
// The latest freed object that covers the address; false when none is kept.
bool find_freed_sample(uint64_t address, FreedSample* out);
// In the child of a fork: they name stacks of another segment.
void forget_freed_samples();

}  // namespace liballoc
