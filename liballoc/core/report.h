// report.h - misuse of the allocator: what was wrong goes to stderr and to the segment's fault
// record, then the process aborts. No lock of ours may be held: stacks are walked and stored.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/central_list.h"

namespace liballoc {

// `call` is what the program did: "free", "realloc".
[[noreturn]] LIBALLOC_COLD void report_bad_free(BadFree kind, const void* p,
                                                const char* call = "free");
// A sized free named `bytes` for an object whose size class is for others.
[[noreturn]] LIBALLOC_COLD void report_wrong_size(const void* p, size_t bytes, size_t object_bytes);
// Connects base/'s fatal() to the fault record.
void report_install();

}  // namespace liballoc
