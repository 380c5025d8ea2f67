// page_cache.h - a thread's freed page runs of 5 to 128 pages (over 32 KiB, up to 1 MiB), kept for its next large request of the
// same length, so that such requests do not queue on the page heap's lock. Bounded in bytes; last in, first out.
// Owned by one thread; takes no lock except when it gives runs back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/heap/span.h"

namespace liballoc {

class Heap;
struct ThreadState;

inline constexpr size_t kPageCacheMaxPages = (size_t{1} << 20) >> kPageShift;
inline constexpr uint64_t kPageCacheMaxBytes = uint64_t{4} << 20;
// Of runs longer than this a thread keeps few: they lie between other free pages and keep them apart.
inline constexpr size_t kPageCacheLongPages = (size_t{128} << 10) >> kPageShift;
inline constexpr uint32_t kPageCacheMaxLong = 2;

class PageCache {
 public:
  // A cached run of exactly this many pages, in use again; null when there is none. Its memory holds old contents.
  [[nodiscard]] Span* take(size_t pages);
  // Keeps a large span. When that is over the bound, a quarter of the cache goes back under one hold of the page heap's lock.
  // False when the span is not of a kind that is kept.
  bool keep(Heap& heap, ThreadState* owner, Span* span);
  void flush(Heap& heap) { give_back(heap, 0); }
  uint64_t bytes() const { return bytes_; }

 private:
  static constexpr uint32_t kWords = kPageCacheMaxPages / 64 + 1;

  void mark(size_t pages) { filled_[pages / 64] |= uint64_t{1} << (pages % 64); }
  void unmark_if_empty(size_t pages) {
    if (bins_[pages] == nullptr) filled_[pages / 64] &= ~(uint64_t{1} << (pages % 64));
  }
  uint32_t next_filled(uint32_t from) const;
  Span* pop(size_t pages);
  void give_back(Heap& heap, uint64_t keep_bytes);  // until it holds no more than that; the lengths take turns

  Span* bins_[kPageCacheMaxPages + 1];  // linked through next
  uint64_t filled_[kWords];             // one bit per bin that holds a run
  uint64_t bytes_;
  uint32_t long_runs_;  // of more than kPageCacheLongPages
  uint32_t evict_;  // the bin that last gave a run back; the bins take turns
};

}  // namespace liballoc
