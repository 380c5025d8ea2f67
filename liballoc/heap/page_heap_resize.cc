// page_heap_resize.cc - a large span changes its length where it is: see page_heap.h. Never moves contents, never grows the heap.
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

bool PageHeap::try_shrink(Span* span, size_t pages) {
  LIBALLOC_DCHECK(pages != 0 && pages < span->pages && span->size_class == 0);
  const uint64_t now = heap_now();
  LockHolder hold(lock_);
  Span* tail = split_locked(span, pages);
  if (tail == nullptr) return false;
  map_.set_boundary(span);  // its last page was none before: the tail looks there for a free neighbour
  recent_.leave_use(span->pages + tail->pages);
  recent_.enter_use(span->pages);
  tail->need_zero = true;
  tail->scavenged = false;
  tail->unused_since = now;
  stats_.in_use -= tail->bytes();
  stats_.idle += tail->bytes();
  observe_span(span, SpanEvent::kFiled, 0);
  observe_span(span, SpanEvent::kSplit, tail->pages);
  observe_span(tail, SpanEvent::kFree, 0);
  insert_free_locked(tail);
  publish_locked();
  return true;
}

bool PageHeap::try_grow(Span* span, size_t pages) {
  LIBALLOC_DCHECK(pages > span->pages && span->size_class == 0);
  LockHolder hold(lock_);
  // Free neighbours of the same kind are one span, so behind a free one there is at most one of the other kind, and so on.
  size_t found = 0;
  for (uintptr_t at = span->end(); found < pages - span->pages;) {
    const Span* next = map_.raw_span(at);
    if (next != nullptr && next->recent && next->base == at) {
      drain_recent_locked(UINT64_MAX);  // what was freed a moment ago is free
      next = map_.raw_span(at);
    }
    if (next == nullptr || next->state.load(std::memory_order_relaxed) != SpanState::kFree || next->base != at) {
      return false;
    }
    found += next->pages;
    at = next->end();
  }
  recent_.leave_use(span->pages);
  while (span->pages < pages) {
    Span* next = map_.raw_span(span->end());
    tree_of(next).remove(next);
    stats_.spans_idle--;
    next->state.store(SpanState::kManual, std::memory_order_relaxed);
    const size_t missing = pages - span->pages;
    Span* rest = next->pages > missing ? split_locked(next, missing) : nullptr;
    if (rest != nullptr) {
      map_.set_boundary(next);
      insert_free_locked(rest);
      observe_span(next, SpanEvent::kSplit, rest->pages);
    }
    // Without metadata for a rest the span gets all of it.
    if (next->scavenged) {
      earn_locked(heap_now());
      back_locked(next);
    }
    static_cast<void>(touch_fresh_locked(next));  // its pages have been handed out from now on
    stats_.idle -= next->bytes();
    count_in_use_locked(next->bytes());
    span->pages += next->pages;
    delete_span_locked(next);
    span->named_throughout = false;
    map_.set_boundary(span);
    observe_span(span, SpanEvent::kFiled, 0);
    observe_span(span, SpanEvent::kMerge, span->pages);
  }
  recent_.enter_use(span->pages);
  if (span->noscan) {
    span->in_dumps = InDumps::kUnknown;  // what was taken is in dumps still
    set_in_dumps(span, false);
  }
  publish_locked();
  return true;
}

}  // namespace liballoc
