// memory_figures.h - what the program holds and what the library holds for it, in one place: for mallinfo and its kin. Taken
// while other threads go on, so that figures of one call agree with each other exactly only at rest. Never allocates.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/thread.h"
#include "liballoc/heap/page_heap.h"

namespace liballoc {

// Idle spans by length: group g holds those of 2^g up to 2^(g+1) - 1 pages.
inline constexpr unsigned kIdleGroups = 36;

struct MemoryFigures {  // bytes unless the name says otherwise
  struct SizeClass {
    uint64_t mallocs = 0, frees = 0;
    uint64_t live_objects() const { return mallocs > frees ? mallocs - frees : 0; }
  };
  struct Idle {
    uint64_t spans = 0, bytes = 0;
  };
  SizeClass classes[kSizeClasses];  // 0 = large objects; pointer-free ones are included everywhere
  uint64_t large_malloc_bytes = 0, large_free_bytes = 0;
  uint64_t tiny_mallocs = 0, tiny_frees = 0;  // objects inside blocks that `classes` count as one each
  PageHeapStats pages;
  Idle idle[kIdleGroups];  // released ones included
  PageHeapMetadata kept;   // part of metadata, by kind
  uint64_t specials = 0, specials_bytes = 0, thread_cache_bytes = 0;
  uint64_t metadata = 0;   // everything the library itself took from the OS
  uint64_t os_reserved = 0, os_prepared = 0, os_ready = 0;
  ThreadCounts threads = {0, 0};

  uint64_t large_live_bytes() const {
    return large_malloc_bytes > large_free_bytes ? large_malloc_bytes - large_free_bytes : 0;
  }
  uint64_t small_live_bytes() const;  // objects count with the size of their slot
  uint64_t small_live_objects() const;
  // Heap memory that the OS backs, or will at the first touch.
  uint64_t backed() const { return pages.heap_sys() - pages.released; }
  // In spans that are in use but in no object: free slots, wherever they wait, page runs that threads keep, ends of spans.
  uint64_t free_in_use() const;
};

// False when called from a signal handler that interrupted the allocator, or when the library could not start for want of
// memory: *out then keeps its zeros.
bool collect_memory_figures(MemoryFigures* out);

// Returns at least `bytes` of idle memory to the OS now, whatever its age, if there is so much. Gives the bytes returned.
size_t release_memory(size_t bytes);
// Returns idle memory to the OS now, the calling thread's cached slots and page runs included, and keeps about `keep` bytes of
// it. Gives the bytes returned.
size_t trim_memory(size_t keep);

}  // namespace liballoc
