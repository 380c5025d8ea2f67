// tiny_objects.h - objects without pointers of less than 16 bytes, packed into blocks of 16. Each is freed by itself, by any
// thread; whoever frees a block's last piece puts the block into his own bin. Takes no lock beyond those of a small object.
//
// Counting: the block is the object of its size class, for counters, samples and memory figures alike. The objects inside are
// counted apart (tiny_mallocs, tiny_frees of a thread's block).
// Who may change a block's word: each piece belongs to somebody, an object to the program, the rest to the thread that
// holds it, and only its owner changes a piece's bits, by one atomic operation. Frees release and acquire: whoever takes the last
// piece away, and hands the block out again, comes after all that was done in it.
#pragma once

#include <cstddef>

#include "liballoc/core/thread.h"

namespace liballoc {

// bytes <= 16, align <= 16. Null when memory ran out.
[[nodiscard]] void* allocate_tiny(Thread& thread, size_t bytes, size_t align);
// p lies in a span of blocks. Ends the process when no object begins there.
void release_tiny(Thread& thread, Span* span, void* p);
// The rest of the block that the thread is filling goes back.
void let_tiny_go(Thread& thread);
// Bytes of the object at p, exactly as asked for. Ends the process when none begins there.
size_t tiny_usable_size(const Span* span, const void* p);

// A small object of a class, from the bin or behind it, and its way back: what allocator.cc does for every class.
[[nodiscard]] void* allocate_small(Thread& thread, unsigned cache_cls, size_t requested, bool zero);
void release_small(Thread& thread, Span* span, void* p);

}  // namespace liballoc
