// heap_observer.h - how the heap tells of changes without knowing who listens. core/ connects it to telemetry; unit tests
// leave it alone or listen themselves. Calls come with the changing lock held: a listener takes only telemetry locks, must be
// quick and must never allocate from the heap.
#pragma once

#include <cstdint>

#include "liballoc/os/os.h"

namespace liballoc {

struct PageHeapStats;
struct Span;

// Each tells the state that the span has now. Whoever keeps a table of spans writes it on the "settled" ones, before it tells
// anybody of the event; the others come when the table is right already, or is about to be with a later event.
enum class SpanEvent : uint8_t {
  kAlloc,     // settled; detail: 0
  kCache,     // settled; detail: slots taken
  kUncache,   // settled; detail: slots taken
  kSweep,     // settled; detail: slots found free
  kFree,      // settled; detail: 0
  kScavenge,  // settled; detail: bytes released
  kSplit,     // detail: pages of the idle span that begins where this one ends
  kMerge,     // detail: pages of the result, which is this span
  kReuse,     // released pages come into use; detail: bytes
  // No events of their own.
  kFiled,     // settled: where it is and what it is now
  kCreate,    // a span record comes into being
  kDestroy,   // a span record ceases to be (merged away)
  kTaken,     // alloc_count changed by a refill: only that figure of the table moves
};

struct HeapObserver {
  void (*span)(Span* span, SpanEvent event, uint64_t detail);
  // Address space became idle, released pages. The span that they are, or are now a part of, was told of before.
  void (*grew)(uintptr_t address, uint64_t bytes);
  // After every change of them. `only_pages`: no metadata was taken, nothing was released and the heap did not grow since the last.
  void (*figures)(const PageHeapStats& stats, bool only_pages);
  // The heap has grown to its trigger, which is another one now.
  void (*crossed)() = nullptr;
  // The time to note for changes: CLOCK_MONOTONIC, at most some milliseconds behind.
  uint64_t (*now)() = nullptr;
};

// Set once at start-up, before other threads exist; null entries are skipped.
extern constinit HeapObserver g_heap_observer;

inline void observe_span(Span* span, SpanEvent event, uint64_t detail) {
  if (g_heap_observer.span != nullptr) g_heap_observer.span(span, event, detail);
}
inline uint64_t heap_now() { return g_heap_observer.now != nullptr ? g_heap_observer.now() : monotonic_ns(); }

}  // namespace liballoc
