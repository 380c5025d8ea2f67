// fault_table.h - what liballoc found broken. Takes no lock, because a fault may be found with any
// lock held, and never grows. A record is claimed by one atomic add, and complete once its code is
// not 0.
#pragma once

#include <atomic>
#include <cstdint>

#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

class FaultTable {
 public:
  constexpr FaultTable() = default;
  static constexpr uint32_t kCapacity =
      4;  // the first fault ends the process; the others raced with it

  bool open(SegmentSpace* space);
  void close();
  void record(const liballoc_abi_fault& fault);

 private:
  std::atomic<liballoc_abi_section*> entry_{nullptr};
  liballoc_abi_fault* records_ = nullptr;
  std::atomic<uint32_t> next_{0};
};

}  // namespace liballoc
