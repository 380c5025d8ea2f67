// recent_spans.h - freed spans of few pages that are kept whole for a moment, by length, in front of the free trees: the next
// request of that length gets one back without a split, a merge or a walk. Bounded in bytes; drained before the heap grows and
// when spans grow old. Guarded by the page heap's lock. A span in here is idle; its state is kManual, so neighbours leave it alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/span.h"

namespace liballoc {

class RecentSpans {
 public:
  static constexpr size_t kMaxPages = 128;  // every small size class's span, and large objects to 1 MiB

  // False when it would hold more than `limit` bytes then.
  bool keep(Span* span, size_t limit) {
    if (span->pages > kMaxPages || bytes_ + span->bytes() > limit) return false;
    span->recent = true;
    span->next = bins_[span->pages];
    bins_[span->pages] = span;
    bytes_ += span->bytes();
    count_++;
    return true;
  }
  // The one of exactly this length that was freed last; null when there is none.
  Span* take(size_t pages) {
    if (pages > kMaxPages || bins_[pages] == nullptr) return nullptr;
    Span* span = bins_[pages];
    bins_[pages] = span->next;
    drop(span);
    return span;
  }
  // Any one; the lengths take turns. Null when there is none.
  Span* take_any() {
    if (count_ == 0) return nullptr;
    while (bins_[turn_] == nullptr) turn_ = turn_ == kMaxPages ? 0 : turn_ + 1;
    return take(turn_);
  }
  // Any one that has been idle since before that moment; null when there is none. Newest first within a length: the links of a
  // bin are walked to its old end.
  Span* take_older_than(uint64_t ns) {
    for (Span*& bin : bins_) {
      for (Span** at = &bin; *at != nullptr; at = &(*at)->next) {
        Span* span = *at;
        if (span->unused_since > ns) continue;
        *at = span->next;
        drop(span);
        return span;
      }
    }
    return nullptr;
  }
  size_t bytes() const { return bytes_; }
  size_t size() const { return count_; }

 private:
  void drop(Span* span) {
    span->next = nullptr;
    span->recent = false;
    bytes_ -= span->bytes();
    count_--;
  }

  Span* bins_[kMaxPages + 1] = {};
  size_t turn_ = 0;
  size_t bytes_ = 0;
  size_t count_ = 0;
};

}  // namespace liballoc
