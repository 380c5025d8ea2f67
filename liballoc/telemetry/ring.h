// ring.h - what happened, in order; the oldest record is overwritten. One writer at a time, under
// the ring lock of the segment, which is a leaf: nothing is called with it held but the kernel, for
// the pages that the ring's first round goes through. Never waits for a reader.
#pragma once

#include <atomic>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class Ring {
 public:
  constexpr Ring() = default;
  static constexpr uint32_t kCapacity = 8192;     // records; a power of two
  static constexpr uint32_t kFirstRecords = 64;   // backed from the start
  static constexpr uint32_t kStepRecords = 1024;  // backed at a time afterwards
  // Where the file cannot grow: all of it is backed from the start.
  static constexpr uint32_t kFixedCapacity = 1024;

  // Bytes of the file to be backed beforehand, and the space it takes.
  static constexpr uint64_t first_bytes(bool can_grow) {
    return (can_grow ? kFirstRecords : kFixedCapacity) * sizeof(liballoc_abi_record);
  }
  bool open(SegmentSpace* space);
  void close() { *this = Ring(); }

  // Whether the slot of the next record has no page yet: then back() first, and skip() without one.
  bool unbacked() const { return (head_ & mask_) >= backed_; }
  bool back();
  // The next event has a number but no record: readers count it as missed.
  void skip();
  // Only while not unbacked().
  LIBALLOC_INLINE void write(uint32_t kind, uint32_t tid, uint64_t time_ns, uint64_t a, uint64_t b,
                             uint64_t c, uint64_t d, uint64_t e) {
    const uint64_t number = head_;
    liballoc_abi_record* const slot = &records_[number & mask_];
    store_relaxed<uint64_t>(&slot->sequence, 0);
    // 0 is visible before the fields that follow.
    std::atomic_thread_fence(std::memory_order_release);
    store_relaxed(&slot->time_ns, time_ns);
    store_relaxed(&slot->kind, kind);
    store_relaxed(&slot->tid, tid);
    store_relaxed(&slot->a, a);
    store_relaxed(&slot->b, b);
    store_relaxed(&slot->c, c);
    store_relaxed(&slot->d, d);
    store_relaxed(&slot->e, e);
    head_ = number + 1;
    store_release(&slot->sequence, number + 1);  // pairs with the reader's first fetch of the record
    store_release(&entry_->count, number + 1);   // pairs with the reader's fetch of the head
  }
  uint64_t head() const { return head_; }

 private:
  // What each event touches, then the rest.
  uint64_t head_ = 0;
  liballoc_abi_section* entry_ = nullptr;
  liballoc_abi_record* records_ = nullptr;
  uint64_t mask_ = 0;      // capacity - 1
  uint64_t backed_ = 0;    // slots below it have pages
  uint64_t retry_at_ = 0;  // head at which backing is tried again after a refusal
  SegmentSpace* space_ = nullptr;
};

}  // namespace liballoc
