// record_table.h - one section kind as a growing array of records. Extent k holds initial << k
// records (initial is a power of two), so a record number leads to its address by arithmetic,
// without a lock, and addresses never move. Growing is guarded by the segment's telemetry lock;
// at() may run at any time for numbers that were handed out before.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/bits.h"
#include "liballoc/base/compiler.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class alignas(kCacheLineBytes) RecordTable {
 public:
  constexpr RecordTable(uint32_t kind, uint32_t stride, uint32_t initial)
      : stride_(stride), initial_log2_(log2_floor(initial)), kind_(kind) {}

  static constexpr uint32_t kMaxExtents = 20;  // the cap on the file is reached long before

  // The first extent. False when even that fails.
  bool open(SegmentSpace* space);
  // For what most programs never have: takes no space before the first record.
  void open_empty(SegmentSpace* space) { space_ = space; }
  void close();

  // Makes room for `n` records behind the used ones, growing where needed; false when there is
  // none. A refused growth is tried again after 1, 2, 4, 8 ... further refusals, so a full file
  // system costs no system call per record.
  bool reserve(uint32_t n);
  // Takes the next n records, which reserve() has made room for; returns the first. Readers see
  // them after publish().
  uint32_t take(uint32_t n = 1) {
    const uint32_t first = used_;
    store_relaxed(&used_, first + n);
    return first;
  }
  // Everything that was taken, from `first` on, is complete: release-stores the counts of its
  // extents.
  void publish(uint32_t first);
  // Without an extent yet: it shows once there is one.
  void count_dropped();

  std::byte* at(uint32_t number) const {
    const uint32_t k = extent_of(number);
    // Acquire: pairs with the release in grow(). A number travels from the adder to its user by the
    // caller's means.
    return extents_[k].load(std::memory_order_acquire) + size_t{number - first_of(k)} * stride_;
  }
  template <typename T>
  T* record(uint32_t number) const {
    return reinterpret_cast<T*>(at(number));
  }
  // Without the lock: at least as many as were handed out before, by whatever means the caller knows of them.
  uint32_t used() const { return load_relaxed(&used_); }
  uint32_t capacity() const { return first_of(extent_count_); }

 private:
  uint32_t first_of(uint32_t k) const { return ((uint32_t{1} << k) - 1) << initial_log2_; }
  uint32_t extent_of(uint32_t number) const {
    return log2_floor((uint64_t{number} >> initial_log2_) + 1);
  }
  bool grow();

  // What finding a record takes, in one line for the first six extents, and the rest.
  uint32_t stride_;
  uint32_t initial_log2_;
  uint32_t extent_count_ = 0;
  uint32_t used_ = 0;
  std::atomic<std::byte*> extents_[kMaxExtents] = {};
  liballoc_abi_section* entries_[kMaxExtents] = {};
  SegmentSpace* space_ = nullptr;
  uint32_t kind_;
  uint64_t refusals_ = 0;
  uint64_t early_dropped_ = 0;
};

}  // namespace liballoc
