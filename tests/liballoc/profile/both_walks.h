// both_walks.h - one stack, walked by rules and by libgcc. Never allocates between begin and end of
// a walk: usable in a signal handler.
#pragma once

#include <unwind.h>

#include <cstdint>
#include <cstring>

#include "liballoc/profile/frame_walk.h"
#include "liballoc/profile/stack.h"

namespace liballoc {

struct WalkedStack {
  uintptr_t pcs[kMaxStackDepth] = {};
  uint32_t depth = 0;
  bool truncated = false;

  bool operator==(const WalkedStack& other) const {
    return depth == other.depth && truncated == other.truncated &&
           memcmp(pcs, other.pcs, depth * sizeof(pcs[0])) == 0;
  }
};

// libgcc's own account, by the program's libgcc; from the caller's caller on.
inline _Unwind_Reason_Code add_frame(_Unwind_Context* context, void* sink) {
  int before = 0;
  const uintptr_t ip = _Unwind_GetIPInfo(context, &before);
  if (ip == 0) return _URC_END_OF_STACK;
  return static_cast<FrameSink*>(sink)->add(ip + (before != 0 ? 1 : 0)) ? _URC_NO_REASON
                                                                        : _URC_END_OF_STACK;
}

struct BothWalks {
  bool simple = false;  // rules knew every frame
  WalkedStack by_rules, by_libgcc;
};

// Both begin with this function's caller.
__attribute__((noinline)) inline void walk_both(RuleCache& cache, BothWalks* out) {
  FrameRegisters here;
  LIBALLOC_CAPTURE_REGISTERS(here);
  FrameSink sink = {out->by_rules.pcs, kMaxStackDepth, 1};
  out->simple = walk_frames(cache, here, &sink);
  out->by_rules.depth = sink.depth;
  out->by_rules.truncated = sink.truncated;

  sink = {out->by_libgcc.pcs, kMaxStackDepth, 1};
  _Unwind_Backtrace(add_frame, &sink);
  out->by_libgcc.depth = sink.depth;
  out->by_libgcc.truncated = sink.truncated;
  __asm__ volatile("" ::: "memory");  // no tail call
}

}  // namespace liballoc
