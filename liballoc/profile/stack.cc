// stack.cc - see stack.h. The walk by rules does nearly every stack; one with a frame that rules
// cannot leave (a signal handler's, hand-written code) is walked anew by libgcc. Both give the same
// frames.
#include "liballoc/profile/stack.h"

#include "liballoc/base/compiler.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/profile/frame_walk.h"
#include "liballoc/profile/libgcc_walk.h"
#include "liballoc/profile/permanent_images.h"

namespace liballoc {

namespace {

static_assert(WalkReads::kMax < kMaxStackDepth);

constinit RuleCache g_rules;

// Only the own thread reads and writes it; a signal handler that allocates finds it set.
constinit thread_local bool t_unwinding LIBALLOC_TLS_MODEL = false;

}  // namespace

LIBALLOC_NOINLINE CapturedStack capture_stack(uintptr_t* pcs, uint32_t max_depth, uint32_t skip, WalkMemo* memo) {
  if (t_unwinding) return {0, false, 0};
  t_unwinding = true;
  FrameRegisters here;
  LIBALLOC_CAPTURE_REGISTERS(here);
  WalkReads* reads = nullptr;
  if (memo != nullptr) {
    if (const uint32_t known = memo->find(here)) {
      t_unwinding = false;
      return {0, false, known};
    }
    reads = memo->begin(here);
  }
  FrameSink sink = {pcs, max_depth, skip + 1};  // 1: this function
  if (LIBALLOC_UNLIKELY(!walk_frames(g_rules, here, &sink, reads))) {
    if (reads != nullptr) reads->give_up();
    sink = {pcs, max_depth, skip + 1};
    walk_by_libgcc(&sink);
  }
  t_unwinding = false;
  return {sink.depth, sink.truncated, 0};
}

void warm_unwinder() {
  note_permanent_images();
  const bool registered = libgcc_stop_at_exit();
  if (!g_rules.active()) {
    void* const memory = sys_alloc(RuleCache::kBytes);
    if (memory != nullptr) g_rules.init(memory);  // without it each walk reads the tables anew
  }
  // Tables that were registered are sorted at first use, for which libgcc allocates. Others need nothing: a program that ends
  // without a sample need not pay for one.
  if (!registered) return;
  uintptr_t pcs[4];
  FrameSink sink = {pcs, 4, 0};
  walk_by_libgcc(&sink);
}

uint64_t hash_stack(const uintptr_t* pcs, uint32_t depth) {
  uint64_t hash = 0x9e3779b97f4a7c15 ^ depth;
  for (uint32_t i = 0; i < depth; i++) {
    hash = (hash ^ pcs[i]) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace liballoc
