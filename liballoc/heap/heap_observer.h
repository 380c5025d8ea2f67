// heap_observer.h - how the heap tells of changes without knowing who listens. core/ connects it to telemetry; unit tests
// leave it alone or listen themselves. Calls come with the changing lock held: a listener takes only telemetry locks, must be
// quick and must never allocate from the heap.
#pragma once

#include <cstdint>

namespace liballoc {

struct PageHeapStats;
struct Span;

enum class SpanEvent : uint8_t {
  kAlloc,     // detail: 0
  kCache,     // detail: slots taken
  kUncache,   // detail: slots taken
  kSweep,     // detail: slots found free
  kFree,      // detail: 0
  kSplit,     // detail: pages of the rest
  kMerge,     // detail: pages of the result
  kScavenge,  // detail: bytes released
  kReuse,     // released pages come into use; detail: bytes
  kCreate,    // a span record comes into being (free, by growth or split)
  kDestroy,   // a span record ceases to be (merged away)
  kFiled,     // moved from one list to another; no event, the table shows where it is
  kTaken,     // alloc_count changed by a refill; no event of its own, only the table moves
};

struct HeapObserver {
  void (*span)(Span* span, SpanEvent event, uint64_t detail);
  void (*grew)(uintptr_t address, uint64_t bytes);
  // After every change of them. `only_pages`: no metadata was taken, nothing was released and the heap did not grow since the last.
  void (*figures)(const PageHeapStats& stats, bool only_pages);
};

// Set once at start-up, before other threads exist; null entries are skipped.
extern constinit HeapObserver g_heap_observer;

inline void observe_span(Span* span, SpanEvent event, uint64_t detail) {
  if (g_heap_observer.span != nullptr) g_heap_observer.span(span, event, detail);
}

}  // namespace liballoc
