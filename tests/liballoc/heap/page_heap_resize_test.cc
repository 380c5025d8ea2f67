// page_heap_resize_test.cc - large spans that change their length where they are: figures, neighbours, contents, refusals.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "liballoc/os/os.h"
#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

TEST(PageHeapResizeTest, AShrunkSpanGivesItsTailBack) {
  TestHeap heap;
  Span* s = large(heap.pages, 100);
  ASSERT_TRUE(heap.pages.try_shrink(s, 30));
  EXPECT_EQ(s->pages, 30u);
  EXPECT_EQ(heap.map.find_in_use(s->end() - 1), s);
  EXPECT_EQ(heap.map.find_in_use(s->end()), nullptr);
  const PageHeapStats st = heap.pages.stats();
  EXPECT_EQ(st.in_use, 30 * kPageBytes);
  EXPECT_EQ(st.idle - st.released, 70 * kPageBytes) << "the tail is idle, and the OS does not have it yet";
  EXPECT_EQ(st.spans_in_use, 1u);
  heap.pages.verify();
  Span* tail = large(heap.pages, 70);
  EXPECT_EQ(tail->base, s->end()) << "it serves the next request";
  EXPECT_TRUE(tail->need_zero);
  heap.pages.free(tail);
  heap.pages.free(s);
  heap.pages.verify();
}

TEST(PageHeapResizeTest, ASpanGrowsIntoTheFreePagesBehindIt) {
  TestHeap heap;
  Span* s = large(heap.pages, 10);
  Span* next = large(heap.pages, 20);
  Span* guard = large(heap.pages, 1);
  ASSERT_EQ(next->base, s->end());
  EXPECT_FALSE(heap.pages.try_grow(s, 11)) << "its neighbour is in use";
  EXPECT_EQ(s->pages, 10u);
  heap.pages.free(next);
  EXPECT_FALSE(heap.pages.try_grow(s, 31)) << "one page more than is free";
  EXPECT_EQ(s->pages, 10u);
  heap.pages.verify();
  ASSERT_TRUE(heap.pages.try_grow(s, 25));
  EXPECT_EQ(s->pages, 25u);
  EXPECT_EQ(heap.map.find_in_use(s->end() - 1), s);
  EXPECT_EQ(heap.pages.stats().in_use, 26 * kPageBytes);
  heap.pages.verify();
  ASSERT_TRUE(heap.pages.try_grow(s, 30)) << "exactly what is left";
  EXPECT_EQ(s->end(), guard->base);
  EXPECT_EQ(heap.pages.stats().peak_in_use, 31 * kPageBytes);
  heap.pages.verify();
  heap.pages.free(s);
  heap.pages.free(guard);
  heap.pages.verify();
}

TEST(PageHeapResizeTest, GrowingJoinsBackedAndReleasedNeighbours) {
  TestHeap heap;
  Span* s = large(heap.pages, 5);
  Span* released = large(heap.pages, 6);
  Span* backed = large(heap.pages, 7);
  Span* guard = large(heap.pages, 1);
  ASSERT_EQ(backed->base, released->end());
  heap.pages.free(released);
  ASSERT_EQ(heap.pages.scavenge(SIZE_MAX, UINT64_MAX), 6 * kPageBytes);
  const uint64_t released_before = heap.pages.stats().released;
  heap.pages.free(backed);
  ASSERT_TRUE(heap.pages.try_grow(s, 16));
  EXPECT_EQ(s->pages, 16u);
  EXPECT_EQ(heap.pages.stats().released, released_before - 6 * kPageBytes);
  memset(reinterpret_cast<void*>(s->base), 0x5a, s->bytes());
  heap.pages.verify();
  heap.pages.free(s);
  heap.pages.free(guard);
}

TEST(PageHeapResizeTest, MemoryNeverHandedOutBeforeIsMarkedAsUsedWhenASpanGrowsOverIt) {
  TestHeap heap;
  Span* s = large(heap.pages, 5);  // the rest of the growth step behind it was never touched
  ASSERT_TRUE(heap.pages.try_grow(s, 50));
  memset(reinterpret_cast<void*>(s->base), 0xee, s->bytes());
  const uintptr_t base = s->base;
  ASSERT_TRUE(heap.pages.try_shrink(s, 1));
  Span* again = large(heap.pages, 49);
  ASSERT_EQ(again->base, base + kPageBytes);
  EXPECT_TRUE(again->need_zero) << "calloc must clear it";
  heap.pages.free(s);
  heap.pages.free(again);
}

TEST(PageHeapResizeTest, ASpanMayGrowAcrossArenasAndShrinkBack) {
  TestHeap heap;
  Span* wide = large(heap.pages, 3 * kPagesPerArena);
  ASSERT_NE(wide, nullptr);
  ASSERT_TRUE(heap.pages.try_shrink(wide, 10));
  heap.pages.verify();
  ASSERT_TRUE(heap.pages.try_grow(wide, 2 * kPagesPerArena + 5));
  EXPECT_EQ(heap.map.find_in_use(wide->base + 2 * kArenaBytes), wide);
  heap.pages.verify();
  heap.pages.free(wide);
  heap.pages.verify();
}

// What a model knows of a span: where it is, how long, and the word it wrote to the start of each page.
struct Kept {
  Span* span;
  size_t pages;
  uint64_t stamp;
};

void stamp_pages(const Kept& k, size_t from) {
  for (size_t i = from; i < k.pages; i++) *reinterpret_cast<uint64_t*>(k.span->base + i * kPageBytes) = k.stamp + i;
}

bool stamps_hold(const Kept& k, size_t pages) {
  for (size_t i = 0; i < pages; i++) {
    if (*reinterpret_cast<uint64_t*>(k.span->base + i * kPageBytes) != k.stamp + i) return false;
  }
  return true;
}

TEST(PageHeapResizeTest, AgreesWithAModelUnderRandomOperations) {
  TestHeap heap;
  std::mt19937 random(11);
  std::vector<Kept> live;
  unsigned grown = 0, shrunk = 0, refused = 0;
  uint64_t in_use = 0;
  for (int step = 0; step < 8000; step++) {
    const unsigned op = random() % 16;
    if (live.size() < 4 || op < 5) {
      const size_t pages = random() % 12 == 0 ? 1 + random() % 2000 : 1 + random() % 40;
      Span* s = large(heap.pages, pages);
      ASSERT_NE(s, nullptr);
      live.push_back({s, s->pages, random()});
      in_use += s->pages;
      stamp_pages(live.back(), 0);
    } else if (op < 9) {
      const size_t i = random() % live.size();
      ASSERT_TRUE(stamps_hold(live[i], live[i].pages));
      in_use -= live[i].pages;
      heap.pages.free(live[i].span);
      live[i] = live.back();
      live.pop_back();
    } else if (op < 12) {
      Kept& k = live[random() % live.size()];
      if (k.pages == 1) continue;
      const size_t want = 1 + random() % (k.pages - 1);
      ASSERT_TRUE(heap.pages.try_shrink(k.span, want));
      ASSERT_EQ(k.span->pages, want);
      ASSERT_TRUE(stamps_hold(k, want)) << "contents up to the shorter length stay";
      in_use -= k.pages - want;
      k.pages = want;
      shrunk++;
    } else if (op < 15) {
      Kept& k = live[random() % live.size()];
      const size_t want = k.pages + 1 + random() % 60;
      const bool ok = heap.pages.try_grow(k.span, want);
      ASSERT_TRUE(k.span->pages == (ok ? want : k.pages)) << "all or nothing";
      if (!ok) {
        refused++;
        continue;
      }
      ASSERT_TRUE(stamps_hold(k, k.pages));
      const size_t from = k.pages;
      in_use += want - from;
      k.pages = want;
      stamp_pages(k, from);
      grown++;
    } else {
      heap.pages.scavenge((random() % 64) * kPageBytes, UINT64_MAX);
    }
    if (step % 16 == 0) {
      heap.pages.verify();
      ASSERT_EQ(heap.pages.stats().in_use, in_use * kPageBytes);
    }
  }
  EXPECT_GT(grown, 50u);
  EXPECT_GT(shrunk, 50u);
  EXPECT_GT(refused, 50u);
  std::map<uintptr_t, uintptr_t> ranges;
  for (const Kept& k : live) {
    EXPECT_TRUE(stamps_hold(k, k.pages)) << "no span wrote over another";
    ranges[k.span->base] = k.span->end();
  }
  uintptr_t end = 0;
  for (const auto& [begin, until] : ranges) {
    EXPECT_LE(end, begin);
    end = until;
  }
  for (const Kept& k : live) heap.pages.free(k.span);
  heap.pages.verify();
  EXPECT_EQ(heap.pages.stats().in_use, 0u);
}

long refuse_alloc(size_t, void**) { return -12; }

TEST(PageHeapResizeTest, WithoutMetadataAShrinkIsRefusedAndNothingChanges) {
  TestHeap heap;
  OsOps refusing = kLinuxOs;
  refusing.alloc = refuse_alloc;
  Span* s = large(heap.pages, 60000);
  ASSERT_NE(s, nullptr);
  set_os_ops_for_test(&refusing);
  // Every other page stays in use, so each shrink and allocation needs records of its own until there are none.
  std::vector<Span*> kept{s};
  bool refused = false;
  for (size_t pages = 59998; pages > 2 && !refused; pages -= 2) {
    const size_t before = s->pages;
    if (!heap.pages.try_shrink(s, pages)) {
      refused = true;
      EXPECT_EQ(s->pages, before);
      break;
    }
    if (Span* one = large(heap.pages, 1)) kept.push_back(one);
  }
  set_os_ops_for_test(nullptr);
  EXPECT_TRUE(refused);
  heap.pages.verify();
  for (Span* k : kept) heap.pages.free(k);
  heap.pages.verify();
  EXPECT_EQ(heap.pages.stats().in_use, 0u);
}

}  // namespace
}  // namespace liballoc
