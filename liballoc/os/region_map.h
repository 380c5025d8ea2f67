// region_map.h - debug book of every region's memory state: ends the process on an illegal transition. Sorted intervals in a
// fixed table of its own memory; when the table is full it stops watching and says so once. Not used in release builds.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/os/sys_mem.h"

namespace liballoc {

// [at, at+bytes) must be wholly in `from`; it is in `to` afterwards. Thread-safe.
void region_map_transition(uintptr_t at, size_t bytes, MemState from, MemState to);

// The interval table itself, for tests: same rules on a caller's table.
class RegionMap {
 public:
  struct Interval {
    uintptr_t begin, end;
    MemState state;
  };
  RegionMap(Interval* table, size_t capacity) : table_(table), capacity_(capacity) {}

  enum class Result { kOk, kWrongState, kTableFull };
  Result transition(uintptr_t at, size_t bytes, MemState from, MemState to);
  MemState state_at(uintptr_t at) const;
  size_t size() const { return size_; }

 private:
  size_t first_ending_after(uintptr_t at) const;
  bool insert_at(size_t index, Interval interval);
  void erase(size_t first, size_t last);

  Interval* table_;
  size_t capacity_;
  size_t size_ = 0;
};

}  // namespace liballoc
