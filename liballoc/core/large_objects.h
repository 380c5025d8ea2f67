// large_objects.h - objects of whole pages beyond allocating and freeing them: how they are counted and sampled, and how they
// change their length where they are. Takes the page heap's lock; holds none when it returns.
#pragma once

#include <cstddef>

#include "liballoc/core/thread.h"

namespace liballoc {

// Counts a large object that was just allocated, and samples it when its turn has come.
void note_large_allocation(Thread& thread, Span* span, size_t requested);

// Gives the large object at p the length that `bytes` need, without moving it: returns tail pages, or takes the free pages
// behind it. A tail too short to be worth the lock stays. False when p is no large object or its neighbours are in use:
// nothing changed then. For every figure a change of length is one free and one malloc, as when realloc moves an object.
[[nodiscard]] bool resize_large(void* p, size_t bytes);

}  // namespace liballoc
