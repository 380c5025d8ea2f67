// ring.cc - see ring.h.
#include "liballoc/telemetry/ring.h"

#include <atomic>
#include <cstddef>

#include "liballoc/base/atomic.h"
#include "liballoc/telemetry/word_copy.h"

namespace liballoc {

static_assert((Ring::kCapacity & (Ring::kCapacity - 1)) == 0);

bool Ring::open(SegmentSpace* space) {
  entry_ = space->add_extent(LIBALLOC_SECTION_RING, 0, sizeof(liballoc_abi_record), kCapacity);
  if (entry_ == nullptr) return false;
  records_ = reinterpret_cast<liballoc_abi_record*>(space->at(entry_->offset));
  return true;
}

void Ring::write(const liballoc_abi_record& record) {
  if (records_ == nullptr) return;
  liballoc_abi_record* const slot = &records_[head_ % kCapacity];
  store_relaxed<uint64_t>(&slot->sequence, 0);
  std::atomic_thread_fence(
      std::memory_order_release);  // 0 is visible before the fields that follow
  store_words(&slot->time_ns, &record.time_ns,
              sizeof(record) - offsetof(liballoc_abi_record, time_ns));
  head_++;
  store_release(&slot->sequence, head_);  // pairs with the reader's first fetch of the record
  store_release(&entry_->count, head_);   // pairs with the reader's fetch of the head
}

}  // namespace liballoc
