// page_heap_dump.cc - which spans core dumps have: all but those of noscan objects. Part of PageHeap. Costs a system call when
// pages change between noscan use and any other, and nothing where no noscan object ever was.
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

// A refusal leaves the span usable: its contents may then be in a dump, or be missing from one, and the next change asks again.
// Whoever calls it owns the span, or holds the lock.
void PageHeap::set_in_dumps(Span* span, bool wanted) {
  const InDumps goal = wanted ? InDumps::kAll : InDumps::kNone;
  if (LIBALLOC_LIKELY(span->in_dumps == goal)) return;
  // Pages of the heap may be smaller than the system's: a neighbour's memory is not to be changed.
  if (span->base % system_page_bytes() != 0 || span->bytes() % system_page_bytes() != 0) return;
  span->in_dumps = sys_dump(reinterpret_cast<void*>(span->base), span->bytes(), wanted) ? goal : InDumps::kUnknown;
}

}  // namespace liballoc
