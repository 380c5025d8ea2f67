// record_table.h - one section kind as a growing array of records. Extent k holds initial << k records, so a record
// number leads to its address by arithmetic, without a lock, and addresses never move.
// Growing is guarded by the segment's telemetry lock; at() may run at any time for numbers that were handed out before.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/bits.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class RecordTable {
 public:
  constexpr RecordTable(uint32_t kind, uint32_t stride, uint32_t initial, uint32_t max_extents = kMaxExtents)
      : kind_(kind), stride_(stride), initial_(initial), max_extents_(max_extents) {}

  static constexpr uint32_t kMaxExtents = 20;  // 16 << 19 records of any kind are more than the cap can hold

  // The first extent. False when even that fails.
  bool open(SegmentSpace* space);
  void close();

  // Makes room for `n` records behind the used ones, growing where needed; false when there is none. A refused growth
  // is tried again after 1, 2, 4, 8 ... further refusals, so a full file system costs no system call per record.
  bool reserve(uint32_t n);
  // Takes the next record, which reserve() has made room for. Readers see it after publish().
  uint32_t take() { return used_++; }
  // Release-stores the extents' counts: everything up to used() is complete.
  void publish(uint32_t first, uint32_t last);
  void count_dropped(uint64_t n);

  std::byte* at(uint32_t number) const {
    const uint32_t k = extent_of(number);
    // Acquire: pairs with the release in grow(). A number travels from the adder to its user by the caller's means.
    return extents_[k].load(std::memory_order_acquire) + size_t{number - first_of(k)} * stride_;
  }
  template <typename T>
  T* record(uint32_t number) const {
    return reinterpret_cast<T*>(at(number));
  }
  // kNoRecord when `p` is not the address of a record.
  uint32_t number_of(const void* p) const;
  static constexpr uint32_t kNoRecord = UINT32_MAX;

  uint32_t used() const { return used_; }
  uint32_t capacity() const { return first_of(extent_count_); }
  uint64_t dropped() const;
  // The directory entry of extent 0.
  liballoc_abi_section* entry() const { return entries_[0]; }

 private:
  uint32_t first_of(uint32_t k) const { return initial_ * ((uint32_t{1} << k) - 1); }
  uint32_t extent_of(uint32_t number) const { return log2_floor(uint64_t{number} / initial_ + 1); }
  bool grow();

  SegmentSpace* space_ = nullptr;
  uint32_t kind_;
  uint32_t stride_;
  uint32_t initial_;
  uint32_t max_extents_;
  uint32_t extent_count_ = 0;
  uint32_t used_ = 0;
  uint64_t refusals_ = 0;
  liballoc_abi_section* entries_[kMaxExtents] = {};
  std::atomic<std::byte*> extents_[kMaxExtents] = {};
};

}  // namespace liballoc
