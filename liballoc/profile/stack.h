// stack.h - the calling thread's stack, by libgcc's unwinder: no allocation, no lock that the
// program can hold. Not to be called with any lock of ours held.
#pragma once

#include <cstdint>

#include "liballoc/profile/walk_memo.h"

namespace liballoc {

inline constexpr uint32_t kMaxStackDepth = 64;

struct CapturedStack {
  uint32_t depth;
  bool truncated;  // there were more frames than max_depth
  uint32_t known;  // the number that the memo has for this stack; then depth is 0. Else 0
};

// Leaf first; return addresses (a frame that a signal interrupted: its address + 1), so that a tool
// that steps back one byte finds the call. pcs[0] lies in the function `skip` levels above the
// caller, which is skip 0. Depth 0 when the thread is unwinding already.
// `memo`, unless null, is the thread's, of captures with this max_depth and skip alone. What it does not know the caller may keep
// in it with a number, before the next capture.
CapturedStack capture_stack(uintptr_t* pcs, uint32_t max_depth, uint32_t skip, WalkMemo* memo = nullptr);

// At start-up, when allocating is still harmless: makes the rule cache, and pays libgcc's first-use costs where it would allocate
// for them. Elsewhere the first stack pays them.
void warm_unwinder();

uint64_t hash_stack(const uintptr_t* pcs, uint32_t depth);

}  // namespace liballoc
