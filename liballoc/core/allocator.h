// allocator.h - allocation and release in one place: the inline hit paths, and the slow paths they fall into. What api/ calls.
// Thread-safe. Never sets errno.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/counters.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/size_classes.h"
#include "liballoc/heap/size_trust.h"
#include "liballoc/heap/specials.h"
#include "liballoc/heap/thread_region.h"

namespace liballoc {

struct AllocationRequest {
  size_t bytes;
  size_t align;   // a power of two
  bool noscan;    // the program promises to keep no pointers in it
  bool zero;      // contents must read as zero
};

// Null when memory ran out or the size cannot be had.
[[nodiscard]] LIBALLOC_NOINLINE void* allocate_slow(const AllocationRequest& request);
// The bin had a slot but the class's countdown ran out with this object: pop it and sample it. The class is found once more, so
// that a hit need not keep it.
[[nodiscard]] LIBALLOC_COLD void* allocate_sampled(size_t bytes);
LIBALLOC_NOINLINE void release_slow(void* p) noexcept;
// As release_slow(), of a program that says which size (and alignment; 1 = none) it asked for: a
// size that cannot be ends the process.
LIBALLOC_NOINLINE void release_sized_slow(void* p, size_t bytes, size_t align) noexcept;
// As release(), of a size that is on probation.
LIBALLOC_COLD void release_judging_size(void* p, size_t bytes) noexcept;
// Ends the process unless an object of operator new(bytes, align) would lie in a slot such as p's.
// For debug builds.
void check_sized_delete(const void* p, size_t bytes, size_t align);

// For any power-of-two alignment and zeroing; not the shortest way.
[[nodiscard]] void* allocate_general(const AllocationRequest& request);
// Bytes the program may use at p. 0 for null; ends the process for a pointer that is not an object's. `call` is what the
// report says the program did.
size_t usable_size(const void* p, const char* call = "malloc_usable_size");
// The one address for objects of no bytes, where the program asked for it: release() takes it any number of times and does
// nothing, its usable size is 0. It lies in no heap page, so hits know nothing of it.
void* zero_size_address();
// Whether the object was asked for as one without pointers. p is one of ours.
bool is_noscan(const void* p);

// The entry of a class in a per-class table, by the class's scaled number.
template <typename T>
LIBALLOC_INLINE T& entry_at(T* table, size_t offset) {
  static_assert(sizeof(T) == kClassScale);
  return *reinterpret_cast<T*>(reinterpret_cast<char*>(table) + offset);
}

// A hit of the class with that scaled number, or what `Slow` makes of the request, which is for that class.
template <void* (*Slow)(size_t bytes)>
[[nodiscard]] LIBALLOC_INLINE void* allocate_of_class_or(size_t offset, size_t bytes) {
  ThreadCache* cache = t_cache;
  Bin& bin = entry_at(cache->bins, offset);
  void** top = bin.top;
  if (LIBALLOC_UNLIKELY(top == bin.base)) return Slow(bytes);
  if (LIBALLOC_UNLIKELY(count_malloc(counter_beside(bin)))) {
    return allocate_sampled(bytes);
  }
  bin.top = top - 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // taken before it is read: see interrupted_hit_test.cc
  return top[-1];
}

// A hit, or what `Slow` makes of the request.
template <void* (*Slow)(size_t bytes)>
[[nodiscard]] LIBALLOC_INLINE void* allocate_or(size_t bytes) {
  if (LIBALLOC_LIKELY(bytes <= size_class_detail::kSmallStepLimit)) {
    return allocate_of_class_or<Slow>(kScaledClassOf8[(bytes + 7) >> 3], bytes);
  }
  if (LIBALLOC_LIKELY(bytes <= kMaxSmallBytes)) {
    return allocate_of_class_or<Slow>(kScaledClassOf128[(bytes - 1024 + 127) >> 7], bytes);
  }
  return Slow(bytes);
}

// As allocate_slow() for a plain request.
[[nodiscard]] LIBALLOC_NOINLINE void* allocate_plain_slow(size_t bytes);

[[nodiscard]] LIBALLOC_INLINE void* allocate(size_t bytes) { return allocate_or<allocate_plain_slow>(bytes); }

// What ArenaMap::arena_of() says, of the process's own map.
LIBALLOC_INLINE const HeapArena* user_arena_of(uintptr_t address) {
  const size_t i = address >> kArenaShift;
  if (LIBALLOC_UNLIKELY(i >= kUserArenas)) return nullptr;
  // Acquire: pairs with the release in ArenaMap::set().
  return g_arena_table[kFirstUserArena + i].load(std::memory_order_acquire);
}

// What ArenaMap::class_of() says.
LIBALLOC_INLINE unsigned class_of_page(const void* p) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  const HeapArena* arena = user_arena_of(address);
  if (LIBALLOC_UNLIKELY(arena == nullptr)) return 0;
  return arena->page_class[ArenaMap::page_in_arena(address)].load(std::memory_order_relaxed);
}

// False when the bin is full, or the slot is one of the two that were freed last.
[[nodiscard]] LIBALLOC_INLINE bool push_on_bin_at(size_t offset, void* p) {
  ThreadCache* cache = t_cache;
  Bin& bin = entry_at(cache->bins, offset);
  void** top = bin.top;
  if (LIBALLOC_UNLIKELY(top == bin.limit)) return false;
  // Of a bin with fewer slots these are words of the storage before it.
  if (LIBALLOC_UNLIKELY(top[-1] == p) || LIBALLOC_UNLIKELY(top[-2] == p)) return false;
  *top = p;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // there before it can be taken
  bin.top = top + 1;
  count_free(counter_beside(bin));
  return true;
}

[[nodiscard]] LIBALLOC_INLINE bool push_on_bin(unsigned cls, void* p) { return push_on_bin_at(size_t{cls} * kClassScale, p); }

// A page whose byte names no class: almost a hit when the span has a sampled object and p is another.
template <auto Slow, typename... Said>
LIBALLOC_NOINLINE void release_beside_sample(void* p, Said... said) noexcept {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  if (const HeapArena* arena = user_arena_of(address)) {
    // Acquire: pairs with the release in ArenaMap::set_spans(), the span's fields are set.
    const Span* span = arena->spans[ArenaMap::page_in_arena(address)].load(std::memory_order_acquire);
    const unsigned cls = LIBALLOC_LIKELY(span != nullptr) ? class_beside_specials(span, address) : 0;
    if (LIBALLOC_LIKELY(cls != 0) && LIBALLOC_LIKELY(push_on_bin(cls, p))) return;
  }
  Slow(p, said...);
}

// `Slow` gets what the program said besides p: the hit has no use for it.
template <auto Slow, typename... Said>
LIBALLOC_INLINE void release_or(void* p, Said... said) {
  const unsigned cls = class_of_page(p);
  if (LIBALLOC_UNLIKELY(cls == 0)) return release_beside_sample<Slow>(p, said...);
  if (LIBALLOC_UNLIKELY(!push_on_bin(cls, p))) Slow(p, said...);
}

LIBALLOC_INLINE void release(void* p) { release_or<release_slow>(p); }

// A hit that does not ask the page for the class. While no size is trusted, what `Untrusted` makes of it.
template <auto Untrusted>
LIBALLOC_INLINE void release_by_size_or(void* p, size_t bytes) {
  if (LIBALLOC_LIKELY(size_tells_class(p, bytes))) {
    if (LIBALLOC_UNLIKELY(!push_on_bin_at(kScaledClassOf8[(bytes + 7) >> 3], p))) release_slow(p);
  } else if (LIBALLOC_UNLIKELY(!sizes_are_trusted())) {
    Untrusted(p, bytes);
  } else {
    release(p);
  }
}

}  // namespace liballoc
