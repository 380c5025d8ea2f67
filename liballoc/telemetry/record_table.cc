// record_table.cc - see record_table.h.
#include "liballoc/telemetry/record_table.h"

#include "liballoc/base/atomic.h"
#include "liballoc/base/check.h"

namespace liballoc {

bool RecordTable::open(SegmentSpace* space) {
  open_empty(space);
  return grow();
}

void RecordTable::close() {
  for (uint32_t k = 0; k < kMaxExtents; k++) {
    entries_[k] = nullptr;
    extents_[k].store(nullptr, std::memory_order_relaxed);
  }
  space_ = nullptr;
  extent_count_ = 0;
  used_ = 0;
  refusals_ = 0;
  early_dropped_ = 0;
}

bool RecordTable::grow() {
  if (extent_count_ == kMaxExtents) return false;
  const uint32_t k = extent_count_;
  liballoc_abi_section* const entry =
      space_->add_extent(kind_, k, stride_, uint32_t{1} << (initial_log2_ + k));
  if (entry == nullptr) return false;
  entries_[k] = entry;
  if (k == 0) store_relaxed(&entry->dropped, early_dropped_);
  // Release: pairs with the acquire in at().
  extents_[k].store(space_->at(entry->offset), std::memory_order_release);
  extent_count_ = k + 1;
  return true;
}

bool RecordTable::reserve(uint32_t n) {
  if (space_ == nullptr) return false;
  while (capacity() - used_ < n) {
    const bool try_now = (refusals_ & (refusals_ - 1)) == 0;
    if (!try_now || !grow()) {
      refusals_++;
      return false;
    }
    refusals_ = 0;
  }
  return true;
}

void RecordTable::publish(uint32_t first) {
  for (uint32_t k = extent_of(first); k < extent_count_ && first_of(k) < used_; k++) {
    const uint32_t behind = used_ - first_of(k);
    const uint32_t here = uint32_t{1} << (initial_log2_ + k);
    // Pairs with the reader, which fetches the count before the records it covers.
    store_release<uint64_t>(&entries_[k]->count, behind < here ? behind : here);
  }
}

void RecordTable::count_dropped() {
  if (extent_count_ != 0) owned_add<uint64_t>(&entries_[0]->dropped, 1);
  else early_dropped_++;
}

}  // namespace liballoc
