// frame_walk.h - walks the calling thread's stack by rules (frame_rule.h), some dozen instructions
// per frame. No lock, no allocation. Knows when it does not know: then libgcc's unwinder is to do
// the whole walk.
#pragma once

#include <cstdint>

#include "liballoc/profile/frame_registers.h"
#include "liballoc/profile/frame_sink.h"
#include "liballoc/profile/rule_cache.h"
#include "liballoc/profile/walk_memo.h"

namespace liballoc {

// False: a frame that rules cannot leave; the sink's contents are then of no use. `reads`, unless null, was begun with `from` and
// learns what the walk depended on.
bool walk_frames(RuleCache& cache, const FrameRegisters& from, FrameSink* sink, WalkReads* reads = nullptr);

}  // namespace liballoc
