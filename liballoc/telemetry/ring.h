// ring.h - what happened, in order; the oldest record is overwritten. One writer at a time, under
// the ring lock of the segment, which is a leaf: nothing is called with it held. Never waits for a
// reader and never grows.
#pragma once

#include <cstdint>

#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class Ring {
 public:
  constexpr Ring() = default;
  static constexpr uint32_t kCapacity = 1024;  // records; a power of two

  bool open(SegmentSpace* space);
  void close() { *this = Ring(); }
  // record.sequence is ignored.
  void write(const liballoc_abi_record& record);
  uint64_t head() const { return head_; }

 private:
  liballoc_abi_section* entry_ = nullptr;
  liballoc_abi_record* records_ = nullptr;
  uint64_t head_ = 0;
};

}  // namespace liballoc
