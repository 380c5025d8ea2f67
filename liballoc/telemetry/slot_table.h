// slot_table.h - a record table whose records come back: spans and live samples. A
// record number is free, or in use by exactly one owner. Guarded by the segment's telemetry lock;
// used(), valid() and record() need none for a number that was handed out.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry/private_index.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class SlotTable {
 public:
  constexpr SlotTable(uint32_t kind, uint32_t stride, uint32_t initial)
      : table_(kind, stride, initial) {}
  static constexpr uint32_t kNone = UINT32_MAX;

  bool open(SegmentSpace* space) { return table_.open(space); }
  void close() {
    table_.close();
    free_.release();
  }

  // A freed record, else a new one, else kNone and one more dropped. A new record is zero, which
  // means unused, so readers may see it before it is filled in.
  uint32_t acquire();
  // The same for who can do without: nothing is dropped.
  uint32_t try_acquire();
  // The record must already say that it is unused.
  void give_back(uint32_t number) { free_.push(number); }
  void count_dropped() { table_.count_dropped(); }

  uint32_t used() const {
    return table_.used();
  }  // record numbers below it were handed out at least once
  bool valid(uint32_t number) const { return number < table_.used(); }
  template <typename T>
  T* record(uint32_t number) const {
    return table_.record<T>(number);
  }
  size_t private_bytes() const { return free_.bytes(); }

 private:
  RecordTable table_;
  FreeRecords free_;
};

}  // namespace liballoc
