// page_cache.cc - see page_cache.h.
#include "liballoc/heap/page_cache.h"

#include "liballoc/heap/heap.h"
#include "liballoc/heap/heap_observer.h"

namespace liballoc {

Span* PageCache::take(size_t pages) {
  if (pages > kPageCacheMaxPages || bins_[pages] == nullptr) return nullptr;
  Span* s = bins_[pages];
  bins_[pages] = s->next;
  s->next = nullptr;
  bytes_ -= s->bytes();
  s->owner = nullptr;
  s->alloc_count = 1;
  s->need_zero = true;
  s->place = SpanPlace::kLarge;
  observe_span(s, SpanEvent::kUncache, 1);
  return s;
}

bool PageCache::keep(Heap& heap, ThreadState* owner, Span* span) {
  if (span->pages > kPageCacheMaxPages || span->noscan) return false;
  span->place = SpanPlace::kPageCached;
  span->owner = owner;
  span->alloc_count = 0;
  span->next = bins_[span->pages];
  bins_[span->pages] = span;
  bytes_ += span->bytes();
  observe_span(span, SpanEvent::kCache, 0);
  while (bytes_ > kPageCacheMaxBytes) {
    evict_ = evict_ >= kPageCacheMaxPages ? 0 : evict_ + 1;
    Span* s = bins_[evict_];
    if (s == nullptr) continue;
    bins_[evict_] = s->next;
    s->next = nullptr;
    bytes_ -= s->bytes();
    heap.pages().free(s);
  }
  return true;
}

void PageCache::flush(Heap& heap) {
  for (Span*& bin : bins_) {
    while (bin != nullptr) {
      Span* s = bin;
      bin = s->next;
      s->next = nullptr;
      heap.pages().free(s);
    }
  }
  bytes_ = 0;
}

}  // namespace liballoc
