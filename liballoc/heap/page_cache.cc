// page_cache.cc - see page_cache.h.
#include "liballoc/heap/page_cache.h"

#include <bit>

#include "liballoc/heap/heap.h"
#include "liballoc/heap/heap_observer.h"

namespace liballoc {

Span* PageCache::take(size_t pages) {
  if (pages > kPageCacheMaxPages || bins_[pages] == nullptr) return nullptr;
  Span* s = bins_[pages];
  bins_[pages] = s->next;
  unmark_if_empty(pages);
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
  mark(span->pages);
  bytes_ += span->bytes();
  observe_span(span, SpanEvent::kCache, 0);
  while (bytes_ > kPageCacheMaxBytes) {
    evict_ = next_filled(evict_ + 1);
    Span* s = bins_[evict_];
    bins_[evict_] = s->next;
    unmark_if_empty(evict_);
    s->next = nullptr;
    bytes_ -= s->bytes();
    heap.pages().free(s);
  }
  return true;
}

// The first bin from there on, around the end, that holds a run; there is one.
uint32_t PageCache::next_filled(uint32_t from) const {
  if (from > kPageCacheMaxPages) from = 0;
  uint32_t word = from / 64;
  uint64_t rest = filled_[word] & (~uint64_t{0} << (from % 64));
  while (rest == 0) {
    word = word + 1 == kWords ? 0 : word + 1;
    rest = filled_[word];
  }
  return word * 64 + static_cast<uint32_t>(std::countr_zero(rest));
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
  for (uint64_t& word : filled_) word = 0;
  bytes_ = 0;
}

}  // namespace liballoc
