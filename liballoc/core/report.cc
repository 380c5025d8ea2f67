// report.cc - see report.h. Takes no lock: a fault may be found with any lock held.
#include "liballoc/core/report.h"

#include <atomic>
#include <cstring>

#include "liballoc/base/check.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/runtime.h"
#include "liballoc/os/os.h"

namespace liballoc {

namespace {

struct Pending {
  uint64_t code = kFaultCheck;
  uintptr_t address = 0;
};
// Set by the thread that is about to abort, read by the hook in the same thread.
constinit Pending g_pending;

void keep_fault(const char* message, size_t size) {
  liballoc_abi_fault fault = {};
  fault.code = g_pending.code;
  fault.address = g_pending.address;
  fault.time_ns = monotonic_ns();
  fault.tid = sys::current_tid();
  if (Span* span = g_heap.map().find_in_use(g_pending.address)) {
    fault.size_class = span->size_class;
    fault.span_base = span->base;
    fault.span_state = static_cast<uint32_t>(span->place);
    if (span->object_bytes != 0) fault.object_base = span->slot_address(span->slot_of(g_pending.address));
    else fault.object_base = span->base;
  }
  if (size >= sizeof(fault.message)) size = sizeof(fault.message) - 1;
  memcpy(fault.message, message, size);
  g_segment.record_fault(fault);
  g_segment.retire(LIBALLOC_EXIT_FAULT, /*keep_file=*/true);
}

}  // namespace

void report_install() { set_fatal_hook(keep_fault); }

void report_bad_free(BadFree kind, void* p) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  LineBuffer line;
  line.text("liballoc: ");
  switch (kind) {
    case BadFree::kForeign:
      g_pending = {kFaultForeign, address};
      line.text("free of a pointer that no malloc returned: ");
      break;
    case BadFree::kInterior:
      g_pending = {kFaultInterior, address};
      line.text("free of a pointer into the middle of an object: ");
      break;
    case BadFree::kDoubleFree:
      g_pending = {kFaultDoubleFree, address};
      line.text("double free: ");
      break;
    case BadFree::kNotAllocated:
    case BadFree::kNone:
      g_pending = {kFaultNotAllocated, address};
      line.text("free of memory that is not allocated: ");
      break;
  }
  line.hex(address);
  if (Span* span = g_heap.map().find_in_use(address)) {
    line.text(", in a span of ").dec(span->pages).text(" pages at ").hex(span->base);
    if (span->object_bytes != 0) line.text(", object size ").dec(span->object_bytes);
  }
  fatal(line);
}

}  // namespace liballoc
