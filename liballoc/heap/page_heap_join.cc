// page_heap_join.cc - when no free span is long enough: idle pages that are backed, joined with released or fresh ones beside
// them, before the heap grows. Part of PageHeap. The two kinds are kept apart otherwise, so that what is released stays so.
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"

namespace liballoc {

namespace {

bool is_free(const Span* s) { return s != nullptr && s->state.load(std::memory_order_relaxed) == SpanState::kFree; }

}  // namespace

// Backs up to `pages` of a scavenged free span, at the end that touches its backed neighbour, and joins the two.
// False when there was no metadata for the rest.
bool PageHeap::back_and_join_locked(Span* span, size_t pages, bool at_its_end) {
  scavenged_.remove(span);
  stats_.spans_idle--;
  span->state.store(SpanState::kManual, std::memory_order_relaxed);
  Span* part = span;
  if (pages < span->pages) {
    Span* rest = split_locked(span, at_its_end ? span->pages - pages : pages);
    if (rest == nullptr) {
      insert_free_locked(span);
      return false;
    }
    part = at_its_end ? rest : span;
    Span* stays = at_its_end ? span : rest;
    map_.set_boundary(part);
    insert_free_locked(stays);
    observe_span(span, SpanEvent::kSplit, rest->pages);
  }
  earn_locked(heap_now());
  back_locked(part);
  insert_free_locked(part);
  return true;
}

// True when a free span of that length exists now. Looks at the longest backed spans only: what is much shorter than the
// request saves little.
bool PageHeap::join_kinds_locked(size_t pages) {
  constexpr unsigned kTried = 16;
  Span* s = free_.largest();
  for (unsigned i = 0; i < kTried && s != nullptr && s->pages >= pages / 8; i++, s = free_.predecessor(s)) {
    Span* before = map_.raw_span(s->base - 1);
    Span* after = map_.raw_span(s->end());
    // Beside a backed free span lies no other: both are scavenged, if free.
    const size_t room_before = is_free(before) ? before->pages : 0;
    const size_t room_after = is_free(after) ? after->pages : 0;
    if (s->pages + room_before + room_after < pages) continue;
    size_t missing = pages - s->pages;
    const size_t from_after = missing < room_after ? missing : room_after;
    const uintptr_t base = s->base;
    if (from_after != 0 && !back_and_join_locked(after, from_after, false)) return false;
    missing -= from_after;
    if (missing != 0 && !back_and_join_locked(map_.raw_span(base - 1), missing, true)) return false;
    return true;
  }
  return false;
}

// Grows by what the backed idle pages at the end of the heap lack, or by all of it.
bool PageHeap::grow_for_locked(size_t pages) {
  const Span* last = current_at_ != 0 ? map_.raw_span(current_at_ - 1) : nullptr;
  if (is_free(last) && !last->scavenged && last->pages < pages) {
    if (!grow_locked(pages - last->pages)) return false;
    if (join_kinds_locked(pages)) return true;
    if (best_fit_locked(pages) != nullptr) return true;
  }
  return grow_locked(pages);
}

}  // namespace liballoc
