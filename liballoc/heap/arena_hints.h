// arena_hints.h - where the next arena is asked for, and the asking: keeps arenas at low, recognisable, contiguous addresses.
// A hint whose address cannot be had is dropped. When all are used up any aligned address is taken and two hints are made
// of it: downwards from it and upwards from its end. Guarded by the page heap's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {

struct ArenaHint {
  ArenaHint* next;
  uintptr_t address;
  bool down;
};

class ArenaHints {
 public:
  constexpr explicit ArenaHints(RelaxedCounter& stat) : hints_(stat) {}

  // The list of heap.md: 0x00c0<<32 | i<<40 on amd64, lowest first. `count` hints; 0 is legal (fallback only).
  void init(unsigned count);
  // Reserves `bytes` (a multiple of the arena size), aligned to the arena size. Null when the OS refuses or when what it
  // gave is beyond 48 bits (counted in out_of_range()).
  [[nodiscard]] void* reserve(size_t bytes);
  // Undoes the last reserve(): the range is to be had again.
  void give_back(void* at, size_t bytes);
  uint64_t collisions() const { return collisions_; }
  uint64_t out_of_range() const { return out_of_range_; }
  size_t size() const { return static_cast<size_t>(hints_.inuse_objects()); }

 private:
  void push_front(uintptr_t address, bool down);

  FixedAlloc<ArenaHint> hints_;
  ArenaHint* first_ = nullptr;
  uint64_t collisions_ = 0;
  uint64_t out_of_range_ = 0;
};

inline constexpr unsigned kArenaHintCount = 0x80;

}  // namespace liballoc
