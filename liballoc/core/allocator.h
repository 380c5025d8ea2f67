// allocator.h - allocation and release in one place: the inline hit paths, and the slow paths they fall into. What api/ calls.
// Thread-safe. Never sets errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/counters.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/size_classes.h"

namespace liballoc {

struct AllocationRequest {
  size_t bytes;
  size_t align;   // a power of two
  bool noscan;    // the program promises to keep no pointers in it
  bool zero;      // contents must read as zero
};

// Null when memory ran out or the size cannot be had.
[[nodiscard]] LIBALLOC_NOINLINE void* allocate_slow(const AllocationRequest& request);
// The bin had a slot but the class's countdown ran out with this object: pop it and sample it.
[[nodiscard]] LIBALLOC_COLD void* allocate_sampled(unsigned cache_cls, size_t bytes);
LIBALLOC_NOINLINE void release_slow(void* p);

// For any power-of-two alignment and zeroing; not the shortest way.
[[nodiscard]] void* allocate_general(const AllocationRequest& request);
// Bytes the program may use at p. 0 for null; ends the process for a pointer that is not ours.
size_t usable_size(const void* p);

LIBALLOC_INLINE void* pop_or_null(unsigned cache_cls, size_t bytes) {
  ThreadCache* cache = t_cache;
  Bin& bin = cache->bins[cache_cls];
  void** top = bin.top;
  if (LIBALLOC_UNLIKELY(top == bin.base)) return nullptr;
  if (LIBALLOC_UNLIKELY(count_malloc(cache->counters->classes[cache_cls]))) return allocate_sampled(cache_cls, bytes);
  void* p = *--top;
  bin.top = top;
  return p;
}

[[nodiscard]] LIBALLOC_INLINE void* allocate(size_t bytes) {
  if (LIBALLOC_LIKELY(bytes <= kMaxSmallBytes)) {
    void* p = pop_or_null(size_to_class(bytes), bytes);
    if (LIBALLOC_LIKELY(p != nullptr)) return p;
  }
  return allocate_slow({bytes, 8, false, false});
}

LIBALLOC_INLINE void release(void* p) {
  const unsigned cls = g_heap.map().class_of(reinterpret_cast<uintptr_t>(p));
  if (LIBALLOC_LIKELY(cls != 0)) {
    ThreadCache* cache = t_cache;
    Bin& bin = cache->bins[cls];
    void** top = bin.top;
    if (LIBALLOC_LIKELY(top != bin.limit)) {
      *top = p;
      bin.top = top + 1;
      count_free(cache->counters->classes[cls]);
      return;
    }
  }
  release_slow(p);
}

}  // namespace liballoc
