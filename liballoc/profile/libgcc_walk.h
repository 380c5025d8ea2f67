// libgcc_walk.h - the stack as libgcc's unwinder sees it: exact for every frame that has tables,
// and some hundred times slower than frame_walk.h. No allocation; no lock that the program can
// hold.
#pragma once

#include <cstdint>

#include "liballoc/profile/frame_sink.h"

namespace liballoc {

// The first frame is the caller's. Leaves the sink as it is while libgcc knows no tables at all.
void walk_by_libgcc(FrameSink* sink);

// Whether libgcc has a table for the code at pc; a program may have registered some for code that
// it generated.
bool libgcc_describes(uintptr_t pc);

}  // namespace liballoc
