// heap_arena.h - metadata of one 64 MiB arena: what lies on each of its pages. Plain tables, no behaviour of their own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/heap/size_classes.h"

namespace liballoc {

struct Span;

inline constexpr unsigned kArenaShift = 26;
inline constexpr size_t kArenaBytes = size_t{1} << kArenaShift;
inline constexpr size_t kPagesPerArena = kArenaBytes >> kPageShift;

struct HeapArena {
  // Per page the cache class of a span whose slots free() may push without looking further; 0 = take the slow path: not in
  // use, large, or a span with specials. Relaxed: whoever holds a pointer into a page got it after the page's byte was
  // set, through whatever handed the pointer over.
  std::atomic<uint8_t> page_class[kPagesPerArena];
  // Per page its span. In-use spans of slots set all their pages, others the first and the last; the rest is stale.
  std::atomic<Span*> spans[kPagesPerArena];
  std::atomic<uint64_t> pages_in_use[kPagesPerArena / 64];  // bit of each in-use span's first page; page heap lock
  uintptr_t zeroed_base;  // offset of the first byte that was never handed out: it and all behind it are zero
};

}  // namespace liballoc
