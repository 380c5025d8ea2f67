// slot_table.cc - see slot_table.h.
#include "liballoc/telemetry/slot_table.h"

namespace liballoc {

uint32_t SlotTable::acquire() {
  const uint32_t number = try_acquire();
  if (number == kNone) table_.count_dropped();
  return number;
}

uint32_t SlotTable::try_acquire() {
  if (const uint32_t again = free_.pop(); again != FreeRecords::kNone) return again;
  // Room in the free list is made with the record, so that give_back() cannot fail.
  if (!table_.reserve(1) || !free_.reserve(table_.capacity())) return kNone;
  const uint32_t number = table_.take();
  table_.publish(number);
  return number;
}

}  // namespace liballoc
