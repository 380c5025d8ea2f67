// ring.h - what happened, in order; the oldest record is overwritten. One writer at a time, under
// the ring lock of the segment, which is a leaf: nothing is called with it held but the kernel, for
// the pages that the ring grows by. Never waits for a reader.
//
// It goes in rounds of as many records as are backed. At the end of a round it may grow, and then
// the round goes on behind its end, so that all that it holds stays where it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class Ring {
 public:
  constexpr Ring() = default;
  static constexpr uint32_t kCapacity = 8192;     // records, once the heap is large
  static constexpr uint32_t kFirstRecords = 64;   // backed from the start
  static constexpr uint32_t kStepRecords = 1024;  // the first size it grows to, and then grows by
  // Where the file cannot grow: all of it is backed from the start.
  static constexpr uint32_t kFixedCapacity = 1024;
  // A record of 64 bytes for so many of the heap in use: 1.6 %.
  static constexpr uint64_t kHeapBytesPerRecord = 4096;
  // A round that is shorter is part of a burst, of which a small heap's ring should keep more.
  static constexpr uint64_t kShortRoundNs = 10'000'000;

  // Of its beginning: what each event touches. The lock in front of it shares its line.
  static constexpr size_t kEventBytes = 32;
  // Bytes of the file to be backed beforehand, and the space it takes.
  static constexpr uint64_t first_bytes(bool can_grow) {
    return (can_grow ? kFirstRecords : kFixedCapacity) * sizeof(liballoc_abi_record);
  }
  bool open(SegmentSpace* space);
  void close() { *this = Ring(); }

  // Whether the round is over: then turn(), which grows the ring by a step if a heap of that size or
  // a round as short as this one warrants it and there is space, or begins another round.
  bool at_end() const { return slot_ == round_; }
  void turn(uint64_t heap_inuse, uint64_t now_ns);
  // Only while not at_end().
  LIBALLOC_INLINE void write(uint32_t kind, uint32_t tid, uint64_t time_ns, uint64_t a, uint64_t b,
                             uint64_t c, uint64_t d, uint64_t e) {
    const uint64_t number = head_;
    liballoc_abi_record* const slot = &records_[slot_++];
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
  bool grow(uint64_t heap_inuse, uint64_t now_ns);

  // What each event touches, kEventBytes, then the rest.
  uint64_t head_ = 0;
  liballoc_abi_section* entry_ = nullptr;
  liballoc_abi_record* records_ = nullptr;
  uint32_t slot_ = 0;      // of event head_
  uint32_t round_ = 0;     // records of a round; all of them have pages
  uint32_t capacity_ = 0;  // most records of a round
  uint64_t round_ns_ = 0;  // when this round began
  uint64_t retry_at_ = 0;  // head at which growing is tried again after a refusal
  SegmentSpace* space_ = nullptr;
};

}  // namespace liballoc
