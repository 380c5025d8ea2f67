// fork.h - fork in every form: handlers around fork() itself, and recognition of children that no handler saw.
#pragma once

#include <cstdint>

#include "liballoc/base/spin_lock.h"

namespace liballoc {

// Registers the handlers. Once, before the first thread record exists.
void fork_install();
// The calling thread's cache was found wiped: this is a new process. Called at the top of a slow path.
void fork_become_child();
// Held while a segment is made: no child may come to hold the file's lock with us.
SpinLock& fork_lock();
// Whether this process was forked and no handler or slow path has noticed yet.
bool fork_in_new_process();
// The process this one was forked from; 0 = not known to be forked.
uint32_t fork_parent_pid();

}  // namespace liballoc
