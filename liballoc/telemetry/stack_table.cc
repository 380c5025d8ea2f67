// stack_table.cc - see stack_table.h.
#include "liballoc/telemetry/stack_table.h"

#include "liballoc/base/atomic.h"

namespace liballoc {

bool StackTable::open(SegmentSpace* space) { return stacks_.open(space) && frames_.open(space); }

void StackTable::close() {
  stacks_.close();
  frames_.close();
  index_.release();
}

bool StackTable::same(uint32_t number, const uintptr_t* pcs, uint32_t depth, bool truncated,
                      uint64_t hash) const {
  const auto* const stack = stacks_.record<liballoc_abi_stack>(number);
  if (stack->hash != hash || stack->depth != depth || stack->flags != (truncated ? 1u : 0u))
    return false;
  const auto first = static_cast<uint32_t>(stack->first_frame);
  for (uint32_t i = 0; i < depth; i++) {
    if (frames_.record<liballoc_abi_frame>(first + i)->pc != pcs[i]) return false;
  }
  return true;
}

uint32_t StackTable::find(const uintptr_t* pcs, uint32_t depth, bool truncated,
                          uint64_t hash) const {
  const uint32_t number = index_.find(
      hash, [&](uint32_t candidate) { return same(candidate, pcs, depth, truncated, hash); });
  return number == HashIndex::kNone ? 0 : number + 1;
}

uint32_t StackTable::copy(uint32_t number_plus_1, uint64_t* pcs, uint32_t max) const {
  const auto* const stack = stacks_.record<liballoc_abi_stack>(number_plus_1 - 1);
  const uint32_t depth = stack->depth < max ? stack->depth : max;
  const auto first = static_cast<uint32_t>(stack->first_frame);
  for (uint32_t i = 0; i < depth; i++) pcs[i] = frames_.record<liballoc_abi_frame>(first + i)->pc;
  return depth;
}

uint32_t StackTable::add(const uintptr_t* pcs, uint32_t depth, bool truncated, uint64_t hash) {
  if (!stacks_.reserve(1)) {
    stacks_.count_dropped();
    return 0;
  }
  if (!frames_.reserve(depth)) {
    frames_.count_dropped();
    stacks_.count_dropped();
    return 0;
  }
  if (!index_.reserve()) {
    stacks_.count_dropped();
    return 0;
  }
  const uint32_t first = frames_.take(depth);
  for (uint32_t i = 0; i < depth; i++) {
    store_relaxed<uint64_t>(&frames_.record<liballoc_abi_frame>(first + i)->pc, pcs[i]);
  }
  if (depth != 0) frames_.publish(first);
  const uint32_t number = stacks_.take();
  auto* const stack = stacks_.record<liballoc_abi_stack>(number);
  stack->hash = hash;
  stack->first_frame = first;
  stack->depth = depth;
  stack->flags = truncated ? 1 : 0;
  stacks_.publish(number);
  index_.insert(hash, number);
  return number + 1;
}

}  // namespace liballoc
