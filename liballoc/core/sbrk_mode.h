// sbrk_mode.h - the debug mode LIBALLOC_SBRK=1: every object in memory of its own that is never used again, so that an error which
// stays is the program's and one that goes away may be ours. Nothing of it lies on a hit: in this mode there are no hits.
// Costs memory without end: never for production.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/thread.h"

namespace liballoc {

// From now on. Objects made before are left alone when they are freed.
void start_sbrk_mode();

// Counted as the object of its size class that it would be. Null when the OS refuses.
[[nodiscard]] void* sbrk_allocate(Thread& thread, size_t bytes, size_t align, unsigned cache_cls);
// Counts the object as freed, and that is all. Ends the process for a pointer that is no object's, and for every double free.
void sbrk_release(Thread& thread, void* p);
// Exactly the bytes asked for. False when p is no object of this mode.
bool sbrk_usable_size(const void* p, size_t* bytes);
// Taken from the OS so far.
uint64_t sbrk_sys_bytes();

}  // namespace liballoc
