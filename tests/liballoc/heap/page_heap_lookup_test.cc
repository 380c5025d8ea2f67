// page_heap_lookup_test.cc - from any address to its span, where only some pages of a span name it; and how little of the tables a
// large object touches.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "liballoc/os/os.h"
#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

TEST(PageHeapLookupTest, EveryPageOfALargeObjectLeadsToItThoughFewNameIt) {
  TestHeap heap;
  // Pages that named others before.
  std::vector<Span*> before;
  for (size_t i = 0; i < 300; i++) before.push_back(heap.pages.allocate(1 + i % 7, cache_class(i % 5 == 0 ? 0 : 10, false)));
  for (Span* s : before) heap.pages.free(s);
  for (const size_t pages : {size_t{1}, size_t{2}, size_t{3}, size_t{100}, size_t{1000}, 2 * kPagesPerArena + 5}) {
    Span* s = heap.pages.allocate(pages, 0);
    ASSERT_NE(s, nullptr);
    for (uintptr_t at = s->base; at < s->end(); at += kPageBytes * (pages > 5000 ? 61 : 1)) {
      ASSERT_EQ(heap.map.find_in_use(at), s);
      ASSERT_EQ(heap.map.find_in_use(at + kPageBytes - 1), s);
    }
    const uintptr_t base = s->base, end = s->end();
    heap.pages.free(s);
    for (uintptr_t at = base; at < end; at += kPageBytes * (pages > 5000 ? 61 : 1)) {
      ASSERT_EQ(heap.map.find_in_use(at), nullptr) << "free memory leads nowhere";
    }
  }
  heap.pages.verify();
}

TEST(PageHeapLookupTest, ARecentlyFreedLargeObjectCutIntoSlotsIsNamedByEveryPage) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  const unsigned cls = [] {  // spans of several pages
    unsigned c = 1;
    while (kClasses[c].pages != 7) c++;
    return c;
  }();
  Span* guard = heap.pages.allocate(7, cls);  // leaves names of its own on the pages that follow
  Span* large = heap.pages.allocate(7, 0);
  const uintptr_t base = large->base;
  heap.pages.free(large);
  Span* slots = heap.pages.allocate(7, cls);
  ASSERT_EQ(slots->base, base);
  for (uintptr_t at = base; at < slots->end(); at += kPageBytes) ASSERT_EQ(heap.map.raw_span(at), slots);
  heap.pages.free(slots);
  Span* again = heap.pages.allocate(7, cls);
  ASSERT_EQ(again->base, base);
  for (uintptr_t at = base; at < again->end(); at += kPageBytes) ASSERT_EQ(heap.map.raw_span(at), again);
  heap.pages.free(again);
  heap.pages.free(guard);
  heap.pages.verify();
}

// Spans of slots are looked up by every free: each of their pages must name them at every moment.
TEST(PageHeapLookupTest, SpansOfSlotsAreNamedByEveryPageWhateverWasThereBefore) {
  TestHeap heap;
  heap.pages.keep_recent(256 << 10);
  std::mt19937 random(3);
  std::vector<Span*> live;
  for (int i = 0; i < 20000; i++) {
    if (live.empty() || random() % 2 == 0) {
      const unsigned cls = random() % 3 == 0 ? 0 : 1 + static_cast<unsigned>(random()) % (kSizeClasses - 1);
      const size_t pages = cls == 0 ? 1 + random() % 30 : kClasses[cls].pages;
      Span* s = heap.pages.allocate(pages, cls);
      ASSERT_NE(s, nullptr);
      live.push_back(s);
      if (cls == 0) {
        const size_t to = 1 + random() % 40;
        if (to < s->pages) static_cast<void>(heap.pages.try_shrink(s, to));
        else if (to > s->pages) static_cast<void>(heap.pages.try_grow(s, to));
      }
    } else {
      std::swap(live[random() % live.size()], live.back());
      heap.pages.free(live.back());
      live.pop_back();
    }
    for (const Span* s : {live.empty() ? nullptr : live.back(), live.empty() ? nullptr : live[random() % live.size()]}) {
      if (s == nullptr) continue;
      for (uintptr_t at = s->base; at < s->end(); at += kPageBytes) {
        ASSERT_EQ(heap.map.find_in_use(at), s);
        ASSERT_TRUE(s->size_class == 0 || heap.map.raw_span(at) == s);
      }
    }
  }
  heap.pages.verify();
  for (Span* s : live) heap.pages.free(s);
  heap.pages.verify();
}

TEST(PageHeapLookupTest, AnArenaThatCouldNotBeAddedIsNotCountedAndItsMetadataIsUsedLater) {
  TestHeap heap;
  Span* first = heap.pages.allocate(1, 0);
  const uint64_t arenas = heap.pages.stats().arenas;
  // Every request for metadata after the next few is refused.
  static int allowed;
  OsOps poor = kLinuxOs;
  poor.map = [](void* at, size_t n) -> long { return n < kArenaBytes && allowed-- <= 0 ? -12 : kLinuxOs.map(at, n); };
  poor.alloc = [](size_t n, void** out) -> long { return allowed-- <= 0 ? -12 : kLinuxOs.alloc(n, out); };
  for (allowed = 1; allowed < 4;) {
    const int now = allowed;
    set_os_ops_for_test(&poor);
    EXPECT_EQ(heap.pages.allocate(12 * kPagesPerArena, 0), nullptr);
    set_os_ops_for_test(nullptr);
    EXPECT_EQ(heap.pages.stats().arenas, arenas);
    allowed = now + 1;
  }
  Span* s = heap.pages.allocate(12 * kPagesPerArena, 0);
  ASSERT_NE(s, nullptr);
  const uint64_t added = heap.pages.stats().arenas - arenas;
  EXPECT_GE(added, 12u);
  EXPECT_LE(added, 13u);
  heap.pages.free(s);
  heap.pages.free(first);
  heap.pages.verify();
}

TEST(PageHeapLookupTest, AnObjectGrowsIntoPagesThatWereFreedAMomentAgo) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  Span* a = heap.pages.allocate(10, 0);
  Span* b = heap.pages.allocate(4, 0);
  Span* c = heap.pages.allocate(4, 0);
  Span* guard = heap.pages.allocate(1, 0);
  ASSERT_EQ(b->base, a->end());
  ASSERT_EQ(c->base, b->end());
  heap.pages.free(b);
  heap.pages.free(c);
  ASSERT_TRUE(b->recent && c->recent);
  EXPECT_TRUE(heap.pages.try_grow(a, 17));
  EXPECT_EQ(a->pages, 17u);
  heap.pages.verify();
  heap.pages.free(a);
  heap.pages.free(guard);
  heap.pages.verify();
}

}  // namespace
}  // namespace liballoc
