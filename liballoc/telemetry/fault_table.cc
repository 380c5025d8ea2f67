// fault_table.cc - see fault_table.h.
#include "liballoc/telemetry/fault_table.h"

#include "liballoc/base/atomic.h"
#include "liballoc/telemetry/word_copy.h"

namespace liballoc {

bool FaultTable::open(SegmentSpace* space) {
  liballoc_abi_section* const entry =
      space->add_extent(LIBALLOC_SECTION_FAULTS, 0, sizeof(liballoc_abi_fault), kCapacity);
  if (entry == nullptr) return false;
  records_ = reinterpret_cast<liballoc_abi_fault*>(space->at(entry->offset));
  next_.store(0, std::memory_order_relaxed);
  entry_.store(entry, std::memory_order_release);  // pairs with the acquire in record()
  return true;
}

void FaultTable::close() {
  entry_.store(nullptr, std::memory_order_relaxed);
  records_ = nullptr;
}

void FaultTable::record(const liballoc_abi_fault& fault) {
  liballoc_abi_section* const entry = entry_.load(std::memory_order_acquire);
  if (entry == nullptr) return;
  const uint32_t number = next_.fetch_add(1, std::memory_order_relaxed);
  if (number >= kCapacity) {
    __atomic_fetch_add(&entry->dropped, 1, __ATOMIC_RELAXED);
    return;
  }
  liballoc_abi_fault* const slot = &records_[number];
  store_words(&slot->address, &fault.address, sizeof(fault) - sizeof(fault.code));
  store_release<uint64_t>(
      &slot->code, fault.code == 0 ? 1 : fault.code);  // pairs with the reader's fetch of the code
  // Several may be here: the count ends at the highest, and the record below it is unused until its
  // code is set.
  uint64_t count = load_relaxed(&entry->count);
  while (count <= number &&
         !__atomic_compare_exchange_n(&entry->count, &count, uint64_t{number} + 1, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

}  // namespace liballoc
