// page_heap_figures.cc - what the page heap says of itself: see page_heap.h. Never changes a span.
#include "liballoc/base/bits.h"
#include "liballoc/base/check.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

void PageHeap::publish_locked() {
  in_use_estimate_.store(stats_.in_use, std::memory_order_relaxed);
  if (g_heap_observer.figures == nullptr) return;
  // Each of these only grows, or is set on its own: their sum tells whether one changed.
  const uint64_t rare = stats_.grows + stats_.scavenged_total + sys_.mspan.load() + stats_.soft_limit;
  g_heap_observer.figures(stats_, rare == published_);
  published_ = rare;
}

void PageHeap::publish() {
  LockHolder hold(lock_);
  published_ = UINT64_MAX;  // all of them
  publish_locked();
}

PageHeapStats PageHeap::stats() {
  LockHolder hold(lock_);
  return stats_;
}

PageHeapMetadata PageHeap::metadata() {
  LockHolder hold(lock_);
  PageHeapMetadata m;
  m.spans = {spans_.inuse_objects(), spans_.inuse_bytes()};
  m.tree_nodes = {nodes_.inuse_objects(), nodes_.inuse_bytes()};
  for (const FixedAllocBase& b : bits_) {
    m.bitmaps.records += b.inuse_objects();
    m.bitmaps.bytes += b.inuse_bytes();
  }
  m.tiny_words = {tiny_words_.inuse_objects(), tiny_words_.inuse_bytes()};
  m.arena_hints = {hints_.size(), hints_.size() * sizeof(ArenaHint)};
  m.arenas = {stats_.arenas, stats_.arenas * align_up(sizeof(HeapArena), system_page_bytes())};
  return m;
}

void PageHeap::for_each_span(void (*visit)(Span*, void*), void* context) {
  LockHolder hold(lock_);
  for (size_t i = 0; i < all_spans_size_; i++) visit(all_spans_[i], context);
}

void PageHeap::verify() {
  LockHolder hold(lock_);
  free_.verify();
  scavenged_.verify();
  uint64_t in_use = 0, idle = 0, released = 0, recent = 0;
  uint32_t of_length[RecentSpans::kMaxPages + 1] = {};
  for (size_t i = 0; i < all_spans_size_; i++) {
    Span* s = all_spans_[i];
    LIBALLOC_CHECK(s->all_spans_index == i);
    LIBALLOC_CHECK(map_.raw_span(s->base) == s && map_.raw_span(s->end() - 1) == s);
    const SpanState state = s->state.load(std::memory_order_relaxed);
    if (state == SpanState::kInUse) {
      in_use += s->bytes();
      if (s->pages <= RecentSpans::kMaxPages) of_length[s->pages]++;
      // Of a large one a few pages, since the others are looked for: near both ends, and at every doubling.
      const size_t all = s->size_class != 0 ? s->pages : 0;
      for (size_t page = 0; page < s->pages; page = page < all ? page + 1 : page * 2 + 1) {
        LIBALLOC_CHECK(map_.find_in_use(s->base + (page << kPageShift)) == s);
      }
      LIBALLOC_CHECK(map_.find_in_use(s->end() - 1) == s);
      continue;
    }
    if (state != SpanState::kFree && !s->recent) continue;  // kManual: on its way between the two
    idle += s->bytes();
    if (s->recent) {
      recent += s->bytes();
      continue;
    }
    if (s->scavenged) released += s->bytes();
    Span* after = map_.raw_span(s->end());
    LIBALLOC_CHECK(after == nullptr || after->state.load(std::memory_order_relaxed) != SpanState::kFree ||
                   after->scavenged != s->scavenged);
    LIBALLOC_CHECK(after == nullptr || after->base == s->end());
  }
  LIBALLOC_CHECK(in_use == stats_.in_use && idle == stats_.idle && released == stats_.released);
  LIBALLOC_CHECK(recent == recent_.bytes());
  for (size_t pages = 0; pages <= RecentSpans::kMaxPages; pages++) LIBALLOC_CHECK(of_length[pages] == recent_.in_use(pages));
  uint64_t metadata = spans_.inuse_bytes() + nodes_.inuse_bytes();
  for (const FixedAllocBase& b : bits_) metadata += b.inuse_bytes();
  metadata += tiny_words_.inuse_bytes();
  LIBALLOC_CHECK(metadata == stats_.mspan_inuse);
  LIBALLOC_CHECK(free_.size() + scavenged_.size() + recent_.size() == stats_.spans_idle);
  LIBALLOC_CHECK(((free_.pages() + scavenged_.pages()) << kPageShift) + recent == idle);
}

}  // namespace liballoc
