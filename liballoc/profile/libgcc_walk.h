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

// Around fork(). In a fully static program libgcc looks tables up under a mutex of its own, which the
// child needs even to exit: pause() waits until no thread is inside libgcc on our behalf and turns
// away who comes after, whose stacks end where libgcc would have been asked.
void libgcc_pause_for_fork();
void libgcc_resume_after_fork(bool in_child);

// For the library's start. A fully static program takes its tables away from libgcc when it exits,
// while other threads go on allocating: from its exit handlers on, libgcc is not asked any more. True when this is such a
// program: its tables were registered, and libgcc allocates when it first uses them.
bool libgcc_stop_at_exit();

}  // namespace liballoc
