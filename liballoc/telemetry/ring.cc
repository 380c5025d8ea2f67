// ring.cc - see ring.h.
#include "liballoc/telemetry/ring.h"

namespace liballoc {

static_assert((Ring::kCapacity & (Ring::kCapacity - 1)) == 0);

bool Ring::open(SegmentSpace* space) {
  entry_ = space->add_extent(LIBALLOC_SECTION_RING, 0, sizeof(liballoc_abi_record), kCapacity);
  if (entry_ == nullptr) return false;
  records_ = reinterpret_cast<liballoc_abi_record*>(space->at(entry_->offset));
  return true;
}

}  // namespace liballoc
