// page_heap_populate.cc - backing the pages of a fresh span by one system call, instead of a page fault for each of them. Part of
// PageHeap. Only where every page will be touched soon: a span of small objects, of a class that is being refilled. A large object
// may never be touched, nor all of one that is longer than a page; and a small program has most of its spans to itself.
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

void PageHeap::populate(const Span* span) const {
  if (span->need_zero || span->size_class == 0 || span->object_bytes > kPopulatedObjectBytes) return;
  if (in_use_estimate() < kPopulateFromBytes) return;
  sys_populate(reinterpret_cast<void*>(span->base), span->bytes());
}

}  // namespace liballoc
