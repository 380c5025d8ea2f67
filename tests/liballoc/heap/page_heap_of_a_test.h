// page_heap_of_a_test.h - a page heap with the map and the figures it works on: what the tests of the page heap begin with.
// Must never hold what one of these tests alone expects.
#pragma once

#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"

namespace liballoc {

struct TestHeap {
  TestHeap() { ok = pages.init(0); }
  Span* allocate(size_t n) { return pages.allocate(n, 0); }
  uint64_t backed() {
    const PageHeapStats s = pages.stats();
    return s.heap_sys() - s.released;
  }
  SysStats sys;
  ArenaMap map;
  PageHeap pages{map, sys};
  bool ok;
};

inline Span* large(PageHeap& heap, size_t pages, size_t align = 1) { return heap.allocate(pages, 0, align); }

}  // namespace liballoc
