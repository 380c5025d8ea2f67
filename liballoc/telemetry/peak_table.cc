// peak_table.cc - see peak_table.h.
#include "liballoc/telemetry/peak_table.h"

#include "liballoc/base/atomic.h"

namespace liballoc {

void PeakTable::record(const BucketTable& buckets, uint64_t generation) {
  const uint64_t half = generation % 2;
  for (uint32_t n = 0; n < buckets.used(); n++) {
    const BucketTable::InUse now = buckets.in_use(n);
    if (now.objects == 0) continue;
    if (n >= table_.used()) {
      const uint32_t first = table_.used();
      if (!table_.reserve(n + 1 - first)) {
        table_.count_dropped();
        continue;
      }
      table_.take(n + 1 - first);
      table_.publish(first);
    }
    auto* const record = table_.record<liballoc_abi_peak>(n);
    // No reader takes this half before it sees the generation in memstats.
    store_relaxed(&record->objects[half], now.objects);
    store_relaxed(&record->requested[half], now.requested);
    store_relaxed(&record->generation[half], generation);
  }
}

}  // namespace liballoc
