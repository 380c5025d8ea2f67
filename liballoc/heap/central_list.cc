// central_list.cc - see central_list.h.
#include "liballoc/heap/central_list.h"

#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/size_trust.h"

namespace liballoc {

void CentralList::file_locked(Span* span, SpanPlace place) {
  span->place = place;
  (place == SpanPlace::kPartial ? partial_ : full_).push_front(span);
}

void CentralList::unfile_locked(Span* span) {
  (span->place == SpanPlace::kPartial ? partial_ : full_).remove(span);
  span->place = SpanPlace::kNowhere;
}

void CentralList::check_shape_locked(const Span* span) {
  const char* what = span->wrong_shape();
  if (LIBALLOC_LIKELY(what == nullptr && span->cache_class == cache_class_)) return;
  lock_.unlock();
  report_damaged_span(span, what != nullptr ? what : "it is in the list of another size class");
}

void CentralList::check_locked(const Span* span) {
  const char* what = span->damage();
  if (LIBALLOC_LIKELY(what == nullptr)) return;
  lock_.unlock();
  report_damaged_span(span, what);
}

void CentralList::sweep_locked(Span* span) {
  check_locked(span);
  const uint32_t found = span->sweep();
  observe_span(span, SpanEvent::kSweep, found);
}

bool CentralList::release_locked(Span* span) {
  if (span->mark_count == span->alloc_count) {  // nothing to fold in: the span is no more
    check_locked(span);
    unfile_locked(span);
    return true;
  }
  unfile_locked(span);
  if (span->mark_count != 0) sweep_locked(span);
  file_locked(span, span->alloc_count < span->objects ? SpanPlace::kPartial : SpanPlace::kFull);
  observe_span(span, SpanEvent::kFiled, 0);
  return false;
}

Span* CentralList::cache_span(Span* old, ThreadState* owner) {
  Span* got = nullptr;
  {
    LockHolder hold(lock_);
    if (old != nullptr) {
      if (old->mark_count != 0)
        sweep_locked(old);  // other threads freed slots: straight to the cache that asked
      else if (old->alloc_count < old->objects)
        check_locked(old);  // who asks found no free slot in it
      // A span that came back empty is used again rather than returned and fetched anew.
      if (old->alloc_count < old->objects) return old;
      old->owner = nullptr;
      unfile_locked(old);
      file_locked(old, SpanPlace::kFull);
      observe_span(old, SpanEvent::kUncache, old->alloc_count);
    }
    if (!partial_.empty()) {
      got = partial_.first();
      if (got->mark_count != 0)
        sweep_locked(got);
      else
        check_shape_locked(got);
      unfile_locked(got);
      file_locked(got, SpanPlace::kCached);
      got->owner = owner;
      observe_span(got, SpanEvent::kCache, got->alloc_count);
    }
  }
  return got != nullptr ? got : grow(owner);
}

uint32_t CentralList::take_slots(void** end, uint32_t n, bool* zero) {
  uint32_t taken = 0;
  *zero = false;
  while (taken < n) {
    {
      LockHolder hold(lock_);
      while (taken < n && !partial_.empty()) {
        Span* span = partial_.first();
        if (span->mark_count != 0)
          sweep_locked(span);
        else
          check_shape_locked(span);
        if (taken == 0) *zero = !span->need_zero;
        const uint32_t got = span->take(end - taken, n - taken);
        if (LIBALLOC_UNLIKELY(got == 0)) check_locked(span);  // a partial span has some
        taken += got;
        if (span->alloc_count == span->objects) {
          unfile_locked(span);
          file_locked(span, SpanPlace::kFull);
          observe_span(span, SpanEvent::kFiled, 0);
        } else {
          observe_span(span, SpanEvent::kTaken, span->alloc_count);
        }
      }
    }
    if (taken < n && !grow_partial()) break;
  }
  return taken;
}

bool CentralList::grow_partial() {
  Span* span = heap_->allocate(kClasses[size_class_of(cache_class_)].pages, cache_class_);
  if (span == nullptr) return false;
  heap_->map().set_class(span, page_class_of(cache_class_));
  LockHolder hold(lock_);
  file_locked(span, SpanPlace::kPartial);
  return true;
}

Span* CentralList::grow(ThreadState* owner) {
  Span* span = heap_->allocate(kClasses[size_class_of(cache_class_)].pages, cache_class_);
  if (span == nullptr) return nullptr;
  heap_->map().set_class(span, page_class_of(cache_class_));
  LockHolder hold(lock_);
  file_locked(span, SpanPlace::kCached);
  span->owner = owner;
  observe_span(span, SpanEvent::kCache, 0);
  return span;
}

void CentralList::uncache_span(Span* span) {
  bool empty = false;
  {
    LockHolder hold(lock_);
    span->owner = nullptr;
    unfile_locked(span);
    file_locked(span, SpanPlace::kFull);
    observe_span(span, SpanEvent::kUncache, span->alloc_count);
    empty = release_locked(span);
  }
  if (empty) heap_->free(span);
}

bool CentralList::free_stranger(void* slot, BadFree* bad) {
  const Span* span = heap_->map().find_in_use(reinterpret_cast<uintptr_t>(slot));
  if (lists_ == nullptr || span == nullptr || span->cache_class == cache_class_ || !sizes_were_trusted()) return false;
  distrust_sizes();
  *bad = BadFree::kNone;
  if (span->object_bytes == 0 || span->tiny_words != nullptr) return true;
  return lists_[span->cache_class].free_own_slots(&slot, 1, bad) == 1;
}

uint32_t CentralList::free_slots(void* const* slots, uint32_t n, BadFree* bad) {
  uint32_t freed = free_own_slots(slots, n, bad);
  while (LIBALLOC_UNLIKELY(*bad == BadFree::kNotAllocated) && free_stranger(slots[freed], bad)) {
    freed++;
    freed += free_own_slots(slots + freed, n - freed, bad);
  }
  return freed;
}

uint32_t CentralList::free_own_slots(void* const* slots, uint32_t n, BadFree* bad) {
  *bad = BadFree::kNone;
  Span* empty = nullptr;  // linked through next
  uint32_t i = 0;
  {
    LockHolder hold(lock_);
    while (i < n && *bad == BadFree::kNone) {
      Span* span = heap_->map().find_in_use(reinterpret_cast<uintptr_t>(slots[i]));
      if (span == nullptr || span->cache_class != cache_class_ || span->object_bytes == 0) {
        *bad = BadFree::kNotAllocated;
        break;
      }
      // Neighbours in a bin are often neighbours in memory: a span is looked up once per run of its slots.
      i += span->mark_run(slots + i, n - i, bad);
      if (LIBALLOC_UNLIKELY(*bad != BadFree::kNone)) {  // whose fault is it?
        if (span->place == SpanPlace::kCached)
          check_shape_locked(span);  // its owner moves the window
        else
          check_locked(span);
      }
      // A span that has been emptied above is in no list: *bad says that its slot comes for the second time.
      if (span->place == SpanPlace::kCached || span->place == SpanPlace::kNowhere) continue;
      if (span->mark_count == span->alloc_count) {
        if (release_locked(span)) {
          span->next = empty;
          empty = span;
        }
      } else if (span->place == SpanPlace::kFull && span->mark_count != 0) {
        unfile_locked(span);
        file_locked(span, SpanPlace::kPartial);
        observe_span(span, SpanEvent::kFiled, 0);
      }
    }
  }
  if (empty != nullptr) heap_->free_chain(empty);
  return i;
}

CentralList::Counts CentralList::counts() {
  LockHolder hold(lock_);
  Counts c = {0, 0};
  for (Span* s = partial_.first(); s != nullptr; s = s->next) c.partial++;
  for (Span* s = full_.first(); s != nullptr; s = s->next) c.full++;
  return c;
}

void CentralList::verify() {
  LockHolder hold(lock_);
  for (Span* s = partial_.first(); s != nullptr; s = s->next) {
    LIBALLOC_CHECK(s->place == SpanPlace::kPartial && s->owner == nullptr && s->cache_class == cache_class_);
    LIBALLOC_CHECK(s->has_free_slot());
    s->verify();
  }
  for (Span* s = full_.first(); s != nullptr; s = s->next) {
    LIBALLOC_CHECK(s->cache_class == cache_class_);
    if (s->place == SpanPlace::kCached) continue;  // its owner may be moving the window
    LIBALLOC_CHECK(s->place == SpanPlace::kFull && s->owner == nullptr && !s->has_free_slot());
    s->verify();
  }
}

}  // namespace liballoc
