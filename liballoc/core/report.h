// report.h - misuse of the allocator: what was wrong goes to stderr and to the segment's fault record, then the process aborts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/central_list.h"

namespace liballoc {

enum FaultCode : uint64_t {
  kFaultCheck = 1,  // an internal invariant
  kFaultForeign = 2,
  kFaultNotAllocated = 3,
  kFaultInterior = 4,
  kFaultDoubleFree = 5,
};

[[noreturn]] void report_bad_free(BadFree kind, void* p);
// Connects base/'s fatal() to the fault record.
void report_install();

}  // namespace liballoc
