// ring.cc - see ring.h.
#include "liballoc/telemetry/ring.h"

#include "liballoc/base/bits.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

static_assert((Ring::kCapacity & (Ring::kCapacity - 1)) == 0);
static_assert((Ring::kFixedCapacity & (Ring::kFixedCapacity - 1)) == 0);

bool Ring::open(SegmentSpace* space) {
  const uint32_t capacity = space->can_grow() ? kCapacity : kFixedCapacity;
  const uint64_t first = align_up(first_bytes(space->can_grow()), system_page_bytes());
  entry_ = space->add_sparse_extent(LIBALLOC_SECTION_RING, sizeof(liballoc_abi_record), capacity,
                                    first);
  if (entry_ == nullptr) return false;
  records_ = reinterpret_cast<liballoc_abi_record*>(space->at(entry_->offset));
  space_ = space;
  mask_ = capacity - 1;
  backed_ = first / sizeof(liballoc_abi_record);
  return true;
}

bool Ring::back() {
  if (head_ < retry_at_) return false;
  const uint64_t to = (backed_ / kStepRecords + 1) * kStepRecords;
  if (!space_->back_sparse(entry_->offset + backed_ * sizeof(liballoc_abi_record),
                           entry_->offset + to * sizeof(liballoc_abi_record))) {
    retry_at_ = head_ + mask_ + 1;  // next round: a full file system costs one call per round
    return false;
  }
  backed_ = to;
  return !unbacked();
}

void Ring::skip() {
  head_++;
  store_release(&entry_->count, head_);  // pairs with the reader's fetch of the head
}

}  // namespace liballoc
