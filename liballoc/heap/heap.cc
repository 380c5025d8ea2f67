// heap.cc - see heap.h.
#include "liballoc/heap/heap.h"

namespace liballoc {

void Heap::drain_transfers(bool all) {
  if (transfer_bytes() == 0) return;
  for (TransferCache& t : transfer_) {
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    if (all) t.drain_all(&bad, &culprit);
    else t.drain_untouched(&bad, &culprit);
    if (bad != BadFree::kNone) {
      if (bad_free_ != nullptr) bad_free_(bad, culprit);
      LIBALLOC_CHECK(bad == BadFree::kNone);
    }
  }
}

void Heap::tick(uint64_t now_ns) {
  if (!pages_.scavenge_tick(now_ns)) return;
  if (ticks_.fetch_add(1, std::memory_order_relaxed) % kTicksPerDrain == 0) drain_transfers(false);
}

}  // namespace liballoc
