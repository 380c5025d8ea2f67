// recent_spans.h - freed spans of few pages that are kept whole for a moment, by length, in front of the free trees: the next
// request of that length gets one back without a split, a merge or a walk. Bounded in bytes; drained before the heap grows and
// when spans grow old. Guarded by the page heap's lock. A span in here is idle; its state is kManual, so neighbours leave it alone.
// Of the longer lengths, which are many, only those are kept that the program has several of: the next request for one of the
// others is for another length, which the pages serve better when joined, and warm.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/span.h"

namespace liballoc {

class RecentSpans {
 public:
  static constexpr size_t kMaxPages = 128;   // every small size class's span, and large objects to 1 MiB
  static constexpr size_t kShortPages = 16;  // kept however few there are
  static constexpr uint32_t kSeveral = 8;
  static constexpr size_t kMaxSpans = 16384;  // bounds how long the lock is held where all of them are joined

  // A span of that length is in use from now on, or no longer.
  void enter_use(size_t pages) {
    if (pages <= kMaxPages) lengths_[pages].in_use++;
  }
  void leave_use(size_t pages) {
    if (pages <= kMaxPages) lengths_[pages].in_use--;
  }
  uint32_t in_use(size_t pages) const { return lengths_[pages].in_use; }

  // Of a span that has left use. False when it would hold more than `limit` bytes then, or when there are few of that length.
  bool keep(Span* span, size_t limit) {
    const size_t pages = span->pages;
    if (pages > kMaxPages || bytes_ + span->bytes() > limit || count_ == kMaxSpans) return false;
    Length& length = lengths_[pages];
    if (pages > kShortPages && length.in_use + length.kept + 1 < kSeveral) return false;
    span->recent = true;
    length.spans.push_front(span);
    length.kept++;
    bytes_ += span->bytes();
    count_++;
    return true;
  }
  // The one of exactly this length that was freed last; null when there is none.
  Span* take(size_t pages) { return pages > kMaxPages ? nullptr : drop(pages, lengths_[pages].spans.first()); }
  // Any one; the lengths take turns. Null when there is none.
  Span* take_any() {
    if (count_ == 0) return nullptr;
    while (lengths_[turn_].spans.empty()) turn_ = turn_ == kMaxPages ? 0 : turn_ + 1;
    return take(turn_);
  }
  // The one of this length that was freed first, if that was before `ns`; null otherwise.
  Span* take_older_than(uint64_t ns, size_t pages) {
    Span* span = lengths_[pages].spans.last();
    return span != nullptr && span->unused_since <= ns ? drop(pages, span) : nullptr;
  }
  size_t bytes() const { return bytes_; }
  size_t size() const { return count_; }

 private:
  Span* drop(size_t pages, Span* span) {
    if (span == nullptr) return nullptr;
    lengths_[pages].spans.remove(span);
    span->recent = false;
    lengths_[pages].kept--;
    bytes_ -= span->bytes();
    count_--;
    return span;
  }

  // Together, since a change of one is mostly one of all, and each line that another processor wrote last has to come from there.
  struct alignas(16) Length {
    SpanList spans;       // kept
    uint32_t kept = 0;    // their number
    uint32_t in_use = 0;  // spans of this length in use
  };
  Length lengths_[kMaxPages + 1];
  size_t turn_ = 0;
  size_t bytes_ = 0;
  size_t count_ = 0;
};

}  // namespace liballoc
