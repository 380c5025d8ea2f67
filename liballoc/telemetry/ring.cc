// ring.cc - see ring.h.
#include "liballoc/telemetry/ring.h"

#include "liballoc/base/bits.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

constexpr unsigned kRoundBits = 16;  // of liballoc_abi_section::ring_round
static_assert(Ring::kCapacity < uint32_t{1} << kRoundBits);
static_assert(Ring::kCapacity % Ring::kStepRecords == 0 && Ring::kFirstRecords < Ring::kStepRecords);

}  // namespace

bool Ring::open(SegmentSpace* space) {
  static_assert(offsetof(Ring, capacity_) == kEventBytes);
  capacity_ = space->can_grow() ? kCapacity : kFixedCapacity;
  const uint64_t first = align_up(first_bytes(space->can_grow()), system_page_bytes());
  entry_ = space->add_sparse_extent(LIBALLOC_SECTION_RING, sizeof(liballoc_abi_record), capacity_, first);
  if (entry_ == nullptr) return false;
  records_ = reinterpret_cast<liballoc_abi_record*>(space->at(entry_->offset));
  space_ = space;
  round_ns_ = space->header()->created_monotonic_ns;
  round_ = static_cast<uint32_t>(first / sizeof(liballoc_abi_record));
  store_relaxed<uint64_t>(&entry_->ring_round, round_);
  return true;
}

void Ring::turn(uint64_t heap_inuse, uint64_t now_ns) {
  if (grow(heap_inuse, now_ns)) return;
  slot_ = 0;
  round_ns_ = now_ns;
}

bool Ring::grow(uint64_t heap_inuse, uint64_t now_ns) {
  const bool warranted =
      round_ < kStepRecords || round_ < heap_inuse / kHeapBytesPerRecord || now_ns - round_ns_ < kShortRoundNs;
  if (round_ == capacity_ || !warranted || head_ < retry_at_) return false;
  const uint32_t to = (round_ / kStepRecords + 1) * kStepRecords;
  if (!space_->back_sparse(entry_->offset + round_ * sizeof(liballoc_abi_record),
                           entry_->offset + to * sizeof(liballoc_abi_record))) {
    retry_at_ = head_ + kCapacity;  // a full file system costs one call in so many events
    return false;
  }
  const uint64_t start = head_ - round_;  // the event in slot 0
  round_ = to;
  // Readers fetch it after `count`; it is visible before any event that it places otherwise, which `count` is stored behind.
  store_relaxed(&entry_->ring_round, start << kRoundBits | round_);
  return true;
}

}  // namespace liballoc
