// page_cache.cc - see page_cache.h.
#include "liballoc/heap/page_cache.h"

#include <bit>

#include "liballoc/heap/heap.h"
#include "liballoc/heap/heap_observer.h"

namespace liballoc {

Span* PageCache::pop(size_t pages) {
  Span* s = bins_[pages];
  bins_[pages] = s->next;
  unmark_if_empty(pages);
  s->next = nullptr;
  bytes_ -= s->bytes();
  if (pages > kPageCacheLongPages) long_runs_--;
  return s;
}

Span* PageCache::take(size_t pages) {
  if (pages > kPageCacheMaxPages || bins_[pages] == nullptr) return nullptr;
  Span* s = pop(pages);
  s->owner = nullptr;
  s->alloc_count = 1;
  s->need_zero = true;
  s->place = SpanPlace::kLarge;
  observe_span(s, SpanEvent::kUncache, 1);
  return s;
}

bool PageCache::keep(Heap& heap, ThreadState* owner, Span* span) {
  if (span->pages > kPageCacheMaxPages || span->noscan) return false;
  const bool is_long = span->pages > kPageCacheLongPages;
  if (is_long && long_runs_ == kPageCacheMaxLong) heap.pages().free(pop(next_filled(kPageCacheLongPages + 1)));
  span->place = SpanPlace::kPageCached;
  span->owner = owner;
  span->alloc_count = 0;
  span->next = bins_[span->pages];
  bins_[span->pages] = span;
  mark(span->pages);
  bytes_ += span->bytes();
  if (is_long) long_runs_++;
  observe_span(span, SpanEvent::kCache, 0);
  if (bytes_ > kPageCacheMaxBytes) give_back(heap, kPageCacheMaxBytes / 4 * 3);
  return true;
}

void PageCache::give_back(Heap& heap, uint64_t keep_bytes) {
  Span* chain = nullptr;
  while (bytes_ > keep_bytes) {
    evict_ = next_filled(evict_ + 1);
    Span* const s = pop(evict_);
    s->next = chain;
    chain = s;
  }
  if (chain != nullptr) heap.pages().free_chain(chain);
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

}  // namespace liballoc
