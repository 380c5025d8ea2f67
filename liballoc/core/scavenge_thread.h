// scavenge_thread.h - a thread that returns idle memory in a program that makes no call any more: LIBALLOC_SCAVENGE_THREAD=1, and
// never unless asked. Started by the first malloc after the heap has grown to some size, again in the child of a fork.
#pragma once

#include <atomic>
#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc {

// Relaxed: set by whoever grows the heap or forks, cleared by the one who starts the thread.
extern constinit std::atomic<bool> g_scavenge_thread_due;

// The heap holds so much now. With any lock held.
void scavenge_thread_heap_grew(uint64_t heap_bytes);
// Starts the thread. In malloc, outside of any slow path; errno stays as it is. Not in free: libc frees with locks held that
// pthread_create() takes.
LIBALLOC_COLD void scavenge_thread_start();
// In the child, which has no such thread.
void scavenge_thread_after_fork();
// The process ends: the thread does too, if it comes to it.
void scavenge_thread_stop();

}  // namespace liballoc
