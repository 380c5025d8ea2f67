// arena_map.h - any address of the process to the arena and span that owns it. Two levels, of which the first has one entry
// on 64-bit Linux: 4 Mi entries of reserved memory, touched where there are arenas. Reads take no lock and accept any value;
// entries are set once and never cleared. Never allocates after init().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/heap/heap_arena.h"
#include "liballoc/heap/span.h"

namespace liballoc {

inline constexpr unsigned kHeapAddressBits = 48;
#if defined(__x86_64__)
inline constexpr uintptr_t kArenaBaseOffset = uintptr_t{1} << 47;
#else
inline constexpr uintptr_t kArenaBaseOffset = 0;
#endif
inline constexpr unsigned kArenaL1Bits = 0;
inline constexpr unsigned kArenaL2Bits = 22;
inline constexpr size_t kArenaEntries = size_t{1} << kArenaL2Bits;
static_assert(kArenaL1Bits + kArenaL2Bits + kArenaShift == kHeapAddressBits);

// Wraps for addresses that no process can have; arena_of() refuses those by the bound.
constexpr size_t arena_index(uintptr_t address) { return (address + kArenaBaseOffset) >> kArenaShift; }
constexpr uintptr_t arena_base(size_t index) { return (uintptr_t{index} << kArenaShift) - kArenaBaseOffset; }

// Arenas that a user-space address can lie in: the entries from here on are the only ones ever set.
inline constexpr size_t kFirstUserArena = kArenaBaseOffset >> kArenaShift;
inline constexpr size_t kUserArenas = kArenaEntries - kFirstUserArena;

class ArenaMap {
 public:
  // An atomic word without a constructor: a table of them is zero memory to every compiler (clang would evaluate
  // std::atomic's constructor once per entry, and gives up on four million).
  struct Entry {
    HeapArena* arena;

    LIBALLOC_INLINE HeapArena* load(std::memory_order order) const {
      return __atomic_load_n(&arena, static_cast<int>(order));
    }
    void store(HeapArena* to, std::memory_order order) { __atomic_store_n(&arena, to, static_cast<int>(order)); }
  };

  // Uses `storage` (kArenaEntries zero entries that are never freed), or reserves its own. False when the OS refuses.
  [[nodiscard]] bool init(RelaxedCounter& stat, Entry* storage = nullptr);
  bool initialised() const { return entries_.load(std::memory_order_relaxed) != nullptr; }

  // Null when no arena is there. Acquire: pairs with the release in set(); the arena's tables are zeroed.
  LIBALLOC_INLINE HeapArena* arena_of(uintptr_t address) const {
    const size_t i = arena_index(address);
    if (LIBALLOC_UNLIKELY(i >= kArenaEntries)) return nullptr;
    const Entry* entries = entries_.load(std::memory_order_acquire);
    if (LIBALLOC_UNLIKELY(entries == nullptr)) return nullptr;
    return entries[i].load(std::memory_order_acquire);
  }
  void set(size_t index, HeapArena* arena) {
    entries_.load(std::memory_order_relaxed)[index].store(arena, std::memory_order_release);
  }

  // 0 = slow path: see HeapArena::page_class.
  LIBALLOC_INLINE unsigned class_of(uintptr_t address) const {
    const HeapArena* arena = arena_of(address);
    if (LIBALLOC_UNLIKELY(arena == nullptr)) return 0;
    return arena->page_class[page_in_arena(address)].load(std::memory_order_relaxed);
  }
  // The in-use span that holds the address, or null. Safe for any value. At once for the first page of every span and for all of a
  // span of slots; other pages of a large object are looked for, from there down.
  Span* find_in_use(uintptr_t address) const;
  // Whatever the table says of the page, possibly stale: for the page heap, under its lock.
  Span* raw_span(uintptr_t address) const;

  void set_spans(Span* span);            // every page of it
  void set_boundary(Span* span);         // first and last page
  void set_class(const Span* span, uint8_t cls);  // every page's class byte
  void set_class_at(uintptr_t address, uint8_t cls);  // that of its page alone, in a span
  void set_in_use(const Span* span, bool in_use); // bitmap bit of the first page

  static size_t page_in_arena(uintptr_t address) { return (address >> kPageShift) & (kPagesPerArena - 1); }

 private:
  Span* find_from_first_page(uintptr_t address) const;
  template <typename Visit>
  void visit_pages(const Span* span, Visit visit) const;

  // Set once by init(), before any pointer of ours exists.
  std::atomic<Entry*> entries_{nullptr};
};

}  // namespace liballoc
