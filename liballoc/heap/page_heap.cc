// page_heap.cc - allocating and freeing spans: see page_heap.h. Growth is in page_heap_grow.cc, release in scavenger.cc.
#include "liballoc/heap/page_heap.h"

#include <new>

#include "liballoc/base/bits.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

constinit HeapObserver g_heap_observer = {nullptr, nullptr, nullptr};

namespace {
constexpr uint64_t kSpanRecordBytes = sizeof(Span) + sizeof(FreeTreeNode);
}  // namespace

Span* PageHeap::new_span_locked(uintptr_t base, size_t pages) {
  void* memory = spans_.allocate();
  if (memory == nullptr) return nullptr;
  FreeTreeNode* node = nodes_.allocate();
  if (node == nullptr) {
    spans_.free(static_cast<Span*>(memory));
    return nullptr;
  }
  Span* s = new (memory) Span();
  s->node = node;
  s->base = base;
  s->pages = pages;
  s->state.store(SpanState::kManual, std::memory_order_relaxed);
  if (!all_spans_add_locked(s)) {
    nodes_.free(node);
    spans_.free(s);
    return nullptr;
  }
  stats_.mspan_inuse += kSpanRecordBytes;
  observe_span(s, SpanEvent::kCreate, 0);
  return s;
}

void PageHeap::delete_span_locked(Span* span) {
  observe_span(span, SpanEvent::kDestroy, 0);
  span->state.store(SpanState::kDead, std::memory_order_relaxed);
  Span* last = all_spans_[--all_spans_size_];
  all_spans_[span->all_spans_index] = last;
  last->all_spans_index = span->all_spans_index;
  nodes_.free(span->node);
  spans_.free(span);
  stats_.mspan_inuse -= kSpanRecordBytes;
}

void PageHeap::free_bits_locked(uint64_t* bits, uint32_t words) {
  FixedAllocBase& from = bits_of(words);
  from.free(bits);
  stats_.mspan_inuse -= from.object_bytes();
}

void PageHeap::free_tiny_words_locked(std::atomic<uint32_t>* words) {
  tiny_words_.free(words);
  stats_.mspan_inuse -= tiny_words_.object_bytes();
}

bool PageHeap::all_spans_add_locked(Span* span) {
  if (all_spans_size_ == all_spans_capacity_) {
    // Grows by half; the old table is given back.
    const size_t system_page = system_page_bytes();
    size_t capacity = all_spans_capacity_ + all_spans_capacity_ / 2;
    if (capacity < system_page / sizeof(Span*)) capacity = system_page / sizeof(Span*);
    const size_t bytes = align_up(capacity * sizeof(Span*), system_page);
    auto* table = static_cast<Span**>(sys_alloc(bytes));
    if (table == nullptr) return false;
    const size_t old_bytes = all_spans_capacity_ * sizeof(Span*);
    for (size_t i = 0; i < all_spans_size_; i++) table[i] = all_spans_[i];
    sys_.other.add(bytes);
    if (all_spans_ != nullptr) {
      sys_free(all_spans_, old_bytes, MemState::kReady);
      sys_.other.sub(old_bytes);
    }
    all_spans_ = table;
    all_spans_capacity_ = bytes / sizeof(Span*);
  }
  span->all_spans_index = static_cast<uint32_t>(all_spans_size_);
  all_spans_[all_spans_size_++] = span;
  return true;
}

Span* PageHeap::split_locked(Span* span, size_t pages) {
  Span* rest = new_span_locked(span->base + (pages << kPageShift), span->pages - pages);
  if (rest == nullptr) return nullptr;
  rest->need_zero = span->need_zero;
  rest->scavenged = span->scavenged;
  rest->in_dumps = span->in_dumps;
  rest->unused_since = span->unused_since;
  span->pages = pages;
  return rest;
}

// Puts a kManual span among the free ones, joined with free neighbours of the same kind.
void PageHeap::insert_free_locked(Span* span) {
  set_in_dumps(span, true);
  const size_t pages = span->pages;
  Span* before = map_.raw_span(span->base - 1);
  if (before != nullptr && before->state.load(std::memory_order_relaxed) == SpanState::kFree &&
      before->scavenged == span->scavenged) {
    tree_of(before).remove(before);
    span->base = before->base;
    span->pages += before->pages;
    span->need_zero |= before->need_zero;
    if (before->in_dumps != span->in_dumps) span->in_dumps = InDumps::kUnknown;
    stats_.spans_idle--;
    delete_span_locked(before);
  }
  Span* after = map_.raw_span(span->end());
  if (after != nullptr && after->state.load(std::memory_order_relaxed) == SpanState::kFree &&
      after->scavenged == span->scavenged) {
    tree_of(after).remove(after);
    span->pages += after->pages;
    span->need_zero |= after->need_zero;
    if (after->in_dumps != span->in_dumps) span->in_dumps = InDumps::kUnknown;
    stats_.spans_idle--;
    delete_span_locked(after);
  }
  map_.set_boundary(span);
  tree_of(span).insert(span);
  span->state.store(SpanState::kFree, std::memory_order_relaxed);
  stats_.spans_idle++;
  observe_span(span, SpanEvent::kFiled, 0);
  if (span->pages == pages) return;
  span->named_throughout = false;
  observe_span(span, SpanEvent::kMerge, span->pages);
}

Span* PageHeap::best_fit_locked(size_t pages) {
  Span* backed = free_.best_fit(pages);
  Span* released = scavenged_.best_fit(pages);
  if (backed == nullptr) return released;
  if (released == nullptr) return backed;
  return released->pages < backed->pages ? released : backed;
}

// Takes `pages` pages at `head` pages from the start of a span that was just removed from its tree.
bool PageHeap::carve_locked(Span* span, size_t head, size_t pages, Span** out) {
  if (head != 0) {
    Span* rest = split_locked(span, head);
    if (rest == nullptr) return false;
    map_.set_boundary(rest);  // before the front looks at its neighbour
    insert_free_locked(span);
    observe_span(span, SpanEvent::kSplit, rest->pages);
    span = rest;
  }
  if (span->pages > pages) {
    Span* rest = split_locked(span, pages);
    if (rest != nullptr) {
      map_.set_boundary(span);
      insert_free_locked(rest);
      observe_span(span, SpanEvent::kSplit, rest->pages);
    }  // else the caller gets more pages than it asked for
  }
  *out = span;
  return true;
}

// Whether the span's memory was never handed out since its arena came from the OS. Notes that it is now.
bool PageHeap::touch_fresh_locked(const Span* span) {
  bool fresh = true;
  uintptr_t at = span->base;
  while (at < span->end()) {
    HeapArena* arena = map_.arena_of(at);
    const uintptr_t arena_begin = align_down(at, kArenaBytes);
    const uintptr_t until = span->end() < arena_begin + kArenaBytes ? span->end() : arena_begin + kArenaBytes;
    if (at - arena_begin < arena->zeroed_base) fresh = false;
    if (until - arena_begin > arena->zeroed_base) arena->zeroed_base = until - arena_begin;
    at = until;
  }
  return fresh;
}

// A sixteenth more each time: a heap of a TiB has crossed some 230 of them.
void PageHeap::cross_trigger_locked() {
  constexpr uint64_t kLeast = 1 << 20;
  stats_.trigger = stats_.in_use + (stats_.in_use / 16 > kLeast ? stats_.in_use / 16 : kLeast);
  published_ = UINT64_MAX;  // the next figures tell of it
  if (g_heap_observer.crossed != nullptr) g_heap_observer.crossed();
}

void PageHeap::count_in_use_locked(size_t bytes) {
  stats_.in_use += bytes;
  if (stats_.in_use > recent_peak_) recent_peak_ = stats_.in_use;
  if (stats_.in_use <= stats_.peak_in_use) return;
  if (LIBALLOC_UNLIKELY(stats_.in_use >= stats_.trigger)) cross_trigger_locked();
  stats_.peak_in_use = stats_.in_use;
  stats_.peak_in_use_ns = heap_now();
}

void PageHeap::drain_recent_locked(uint64_t older_than_ns) {
  if (recent_.size() == 0) return;
  for (size_t pages = 1; pages <= RecentSpans::kMaxPages; pages++) {
    while (Span* s = recent_.take_older_than(older_than_ns, pages)) {
      stats_.spans_idle--;
      insert_free_locked(s);
    }
  }
}

// An idle span that was taken from wherever it was; *whole says that it has the length asked for and its pages still name it.
// Null when the heap cannot grow.
Span* PageHeap::find_locked(size_t pages, size_t align_pages, bool may_grow, bool* whole, bool* wants_growth) {
  *whole = false;
  if (align_pages == 1) {
    if (Span* s = recent_.take(pages)) {
      stats_.spans_idle--;
      *whole = true;
      return s;
    }
  }
  const size_t want = pages + align_pages - 1;
  Span* s = best_fit_locked(want);
  if (s == nullptr && recent_.size() != 0) {
    drain_recent_locked(UINT64_MAX);  // joined with their neighbours they may do
    s = best_fit_locked(want);
  }
  if (s == nullptr && join_kinds_locked(want)) s = best_fit_locked(want);
  if (s == nullptr) {
    *wants_growth = !may_grow;
    if (!may_grow || !grow_for_locked(want)) return nullptr;
    s = best_fit_locked(want);
    if (s == nullptr) return nullptr;
  }
  tree_of(s).remove(s);
  stats_.spans_idle--;
  s->state.store(SpanState::kManual, std::memory_order_relaxed);
  return s;
}

Span* PageHeap::allocate(size_t pages, unsigned cache_cls, size_t align_pages) {
  LIBALLOC_DCHECK(pages != 0 && is_power_of_two(align_pages));
  size_t want = 0;
  if (__builtin_add_overflow(pages, align_pages - 1, &want) || want > (SIZE_MAX >> (kPageShift + 1))) return nullptr;
  bool wants_growth = false;
  Span* s = allocate_from(pages, cache_cls, align_pages, before_growth_ == nullptr, &wants_growth);
  if (LIBALLOC_UNLIKELY(wants_growth)) {
    before_growth_(before_growth_context_);
    s = allocate_from(pages, cache_cls, align_pages, true, &wants_growth);
  }
  // The span is the caller's: no need to keep the lock while the kernel works.
  if (s == nullptr) return nullptr;
  set_in_dumps(s, !s->noscan);
  populate(s);
  return s;
}

Span* PageHeap::allocate_from(size_t pages, unsigned cache_cls, size_t align_pages, bool may_grow, bool* wants_growth) {
  LockHolder hold(lock_);
  const unsigned size_cls = size_class_of(cache_cls);
  uint64_t* bits = nullptr;
  uint32_t words = 0;
  if (size_cls != 0) {
    words = static_cast<uint32_t>(std::bit_ceil(div_round_up(kClasses[size_cls].objects, 64)));
    bits = static_cast<uint64_t*>(bits_of(words).allocate());
    if (bits == nullptr) return nullptr;
    stats_.mspan_inuse += bits_of(words).object_bytes();
  }
  std::atomic<uint32_t>* tiny_words = nullptr;
  if (cache_cls == kTinyClass) {
    tiny_words = static_cast<std::atomic<uint32_t>*>(tiny_words_.allocate());  // zero: every block is free
    if (tiny_words == nullptr) {
      free_bits_locked(bits, words);
      return nullptr;
    }
    stats_.mspan_inuse += tiny_words_.object_bytes();
  }
  bool whole = false;
  Span* s = find_locked(pages, align_pages, may_grow, &whole, wants_growth);
  if (s != nullptr && !whole) {
    const uintptr_t aligned = align_up(s->base, align_pages << kPageShift);
    Span* got = nullptr;
    if (carve_locked(s, (aligned - s->base) >> kPageShift, pages, &got)) {
      s = got;
    } else {
      insert_free_locked(s);
      s = nullptr;
    }
  }
  if (s == nullptr) {
    if (bits != nullptr) free_bits_locked(bits, words);
    if (tiny_words != nullptr) free_tiny_words_locked(tiny_words);
    return nullptr;
  }
  s->tiny_words = tiny_words;
  if (s->scavenged) {
    earn_locked(heap_now());  // for what was backed until now
    back_locked(s);
  }
  if (!whole) {
    if (touch_fresh_locked(s)) s->need_zero = false;
    map_.set_boundary(s);
  }
  if (size_cls != 0 && !s->named_throughout) map_.set_spans(s);  // a large one is asked for by its first page
  stats_.idle -= s->bytes();
  count_in_use_locked(s->bytes());
  stats_.spans_in_use++;
  recent_.enter_use(s->pages);
  s->specials = nullptr;
  s->owner = nullptr;
  if (size_cls != 0) {
    s->init_small(cache_cls, bits, words);
    s->place = SpanPlace::kNowhere;
  } else {
    s->size_class = 0;
    s->cache_class = static_cast<uint8_t>(cache_cls);
    s->noscan = cache_cls >= kSizeClasses;
    s->object_bytes = 0;
    s->objects = 1;
    s->alloc_count = 1;
    s->mark_count = 0;
    s->place = SpanPlace::kLarge;
  }
  map_.set_in_use(s, true);
  s->state.store(SpanState::kInUse, std::memory_order_release);  // pairs with find_in_use()
  observe_span(s, SpanEvent::kAlloc, 0);
  publish_locked();
  return s;
}

void PageHeap::free(Span* s) {
  s->next = nullptr;
  free_chain(s);
}

void PageHeap::free_chain(Span* first) {
  const uint64_t now = heap_now();
  for (Span* s = first; s != nullptr; s = s->next) {
    LIBALLOC_DCHECK(s->state.load(std::memory_order_relaxed) == SpanState::kInUse && s->specials == nullptr);
    if (s->size_class != 0) map_.set_class(s, 0);
    // What is not kept whole goes among the free ones: better before the lock than inside.
    if (s->pages > RecentSpans::kMaxPages) set_in_dumps(s, true);
  }
  LockHolder hold(lock_);
  size_t freed = 0;
  for (Span* s = first; s != nullptr;) {
    Span* const next = s->next;
    s->next = nullptr;
    freed += s->bytes();
    free_locked(s, now);
    s = next;
  }
  earn_locked(now);
  spend_locked(freed);
  publish_locked();
}

void PageHeap::free_locked(Span* s, uint64_t now) {
  map_.set_in_use(s, false);
  if (s->alloc_bits != nullptr) {
    free_bits_locked(s->alloc_bits, s->bit_words);
    s->alloc_bits = s->mark_bits = nullptr;
  }
  if (s->tiny_words != nullptr) free_tiny_words_locked(s->tiny_words);
  s->tiny_words = nullptr;
  s->state.store(SpanState::kManual, std::memory_order_relaxed);
  s->place = SpanPlace::kNowhere;
  s->owner = nullptr;
  s->need_zero = true;
  s->unused_since = now;
  s->object_bytes = 0;
  stats_.in_use -= s->bytes();
  stats_.idle += s->bytes();
  stats_.spans_in_use--;
  recent_.leave_use(s->pages);
  observe_span(s, SpanEvent::kFree, 0);
  // As much as the heap lately had in use: what comes and goes in batches comes back whole. The peak is forgotten within seconds.
  const size_t limit = recent_floor_ == 0 ? 0 : recent_floor_ + recent_peak_;
  if (recent_.keep(s, limit)) {
    stats_.spans_idle++;
    return;
  }
  insert_free_locked(s);
  if (Span* one = recent_.bytes() > limit ? recent_.take_any() : nullptr) {
    stats_.spans_idle--;
    insert_free_locked(one);
  }
}

void PageHeap::set_soft_limit(uint64_t bytes) {
  LockHolder hold(lock_);
  stats_.soft_limit = bytes;
  publish_locked();
}

void PageHeap::keep_recent(size_t bytes) {
  LockHolder hold(lock_);
  recent_floor_ = bytes;
  if (bytes == 0) drain_recent_locked(UINT64_MAX);
}

}  // namespace liballoc
