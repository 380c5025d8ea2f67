// page_heap_test.cc - allocation of page runs: best fit, split, coalesce, growth, release, zero memory, and refusals.
#include "liballoc/heap/page_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "liballoc/os/os.h"
#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

TEST(PageHeapTest, ASpanCoversItsPagesAndIsFoundFromEachOfThem) {
  TestHeap heap;
  ASSERT_TRUE(heap.ok);
  Span* s = large(heap.pages, 5);
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->pages, 5u);
  for (uintptr_t p = s->base; p < s->end(); p += 512) EXPECT_EQ(heap.map.find_in_use(p), s);
  EXPECT_NE(heap.map.find_in_use(s->end()), s);
  heap.pages.verify();
  heap.pages.free(s);
  heap.pages.verify();
}

TEST(PageHeapTest, FreedNeighboursBecomeOneSpanAgain) {
  TestHeap heap;
  Span* a = large(heap.pages, 3);
  Span* b = large(heap.pages, 4);
  Span* c = large(heap.pages, 5);
  Span* guard = large(heap.pages, 1);
  const uintptr_t base = a->base;
  ASSERT_EQ(b->base, a->end());
  ASSERT_EQ(c->base, b->end());
  heap.pages.free(a);
  heap.pages.free(c);
  heap.pages.free(b);
  heap.pages.verify();
  Span* all = large(heap.pages, 12);
  EXPECT_EQ(all->base, base);
  heap.pages.free(all);
  heap.pages.free(guard);
}

TEST(PageHeapTest, TheTightestFitWins) {
  TestHeap heap;
  Span* wide = large(heap.pages, 20);
  Span* g1 = large(heap.pages, 1);
  Span* tight = large(heap.pages, 6);
  Span* g2 = large(heap.pages, 1);
  const uintptr_t tight_base = tight->base;
  heap.pages.free(wide);
  heap.pages.free(tight);
  Span* s = large(heap.pages, 5);
  EXPECT_EQ(s->base, tight_base);
  for (Span* x : {s, g1, g2}) heap.pages.free(x);
  heap.pages.verify();
}

TEST(PageHeapTest, ATieTakesTheSpanWhosePagesAreStillBacked) {
  TestHeap heap;
  Span* released = large(heap.pages, 8);
  Span* g1 = large(heap.pages, 1);
  Span* backed = large(heap.pages, 8);
  Span* g2 = large(heap.pages, 1);
  const uintptr_t backed_base = backed->base;
  heap.pages.free(released);
  ASSERT_EQ(heap.pages.scavenge(SIZE_MAX, UINT64_MAX), 8 * kPageBytes);
  heap.pages.free(backed);
  Span* s = large(heap.pages, 8);
  EXPECT_EQ(s->base, backed_base);
  for (Span* x : {s, g1, g2}) heap.pages.free(x);
  heap.pages.verify();
}

TEST(PageHeapTest, NewMemoryIsZeroUsedMemoryIsNotAndReleasedMemoryIsZeroAgain) {
  TestHeap heap;
  Span* s = large(heap.pages, 16);
  EXPECT_FALSE(s->need_zero);
  memset(reinterpret_cast<void*>(s->base), 0xaa, s->bytes());
  const uintptr_t base = s->base;
  heap.pages.free(s);
  s = large(heap.pages, 16);
  ASSERT_EQ(s->base, base);
  EXPECT_TRUE(s->need_zero);
  heap.pages.free(s);
  heap.pages.scavenge(SIZE_MAX, UINT64_MAX);
  s = large(heap.pages, 16);
  ASSERT_EQ(s->base, base);
  EXPECT_FALSE(s->need_zero);
  for (uintptr_t p = s->base; p < s->end(); p++) ASSERT_EQ(*reinterpret_cast<char*>(p), 0);
  heap.pages.free(s);
}

TEST(PageHeapTest, AlignedSpansAreAligned) {
  TestHeap heap;
  for (size_t align = 1; align <= 4096; align *= 2) {
    Span* s = large(heap.pages, 3, align);
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(s->base % (align * kPageBytes), 0u);
    heap.pages.verify();
    heap.pages.free(s);
    heap.pages.verify();
  }
}

TEST(PageHeapTest, AnObjectMayCrossArenas) {
  TestHeap heap;
  Span* s = large(heap.pages, 3 * kPagesPerArena + 17);
  ASSERT_NE(s, nullptr);
  for (uintptr_t p = s->base; p < s->end(); p += kArenaBytes / 2) {
    *reinterpret_cast<char*>(p) = 1;
    EXPECT_EQ(heap.map.find_in_use(p), s);
  }
  EXPECT_EQ(heap.map.find_in_use(s->end() - 1), s);
  heap.pages.verify();
  heap.pages.free(s);
  heap.pages.verify();
}

TEST(PageHeapTest, FiguresAddUp) {
  TestHeap heap;
  Span* s = large(heap.pages, 100);
  PageHeapStats st = heap.pages.stats();
  EXPECT_EQ(st.in_use, 100 * kPageBytes);
  EXPECT_EQ(st.heap_sys(), st.grow_bytes);
  EXPECT_EQ(st.released, st.idle) << "new memory counts as idle and released";
  heap.pages.free(s);
  st = heap.pages.stats();
  EXPECT_EQ(st.in_use, 0u);
  EXPECT_EQ(st.idle - st.released, 100 * kPageBytes);
  EXPECT_EQ(st.peak_in_use, 100 * kPageBytes);
}

TEST(PageHeapTest, IdleMemoryGoesBackWhenItHasBeenIdleForAWhile) {
  TestHeap heap;
  Span* s = large(heap.pages, 4096);
  heap.pages.free(s);
  const uint64_t now = monotonic_ns();
  heap.pages.scavenge_tick(now);
  EXPECT_EQ(heap.pages.stats().scavenged_total, 0u) << "not on the heels of the free";
  // Ticks far apart in time stand for a program that allocates now and then.
  for (uint64_t i = 1; i < 1000; i++) heap.pages.scavenge_tick(now + 2'000'000'000 + i * 200'000'000);
  const PageHeapStats st = heap.pages.stats();
  EXPECT_LT(st.idle - st.released, size_t{8} << 20);
  heap.pages.verify();
}

TEST(PageHeapTest, ASoftLimitReleasesIdleMemoryBeforeGrowing) {
  TestHeap heap;
  heap.pages.set_soft_limit(uint64_t{16} << 20);
  Span* a = large(heap.pages, (size_t{8} << 20) >> kPageShift);
  Span* guard = large(heap.pages, 1);
  heap.pages.free(a);
  Span* b = large(heap.pages, (size_t{12} << 20) >> kPageShift);
  ASSERT_NE(b, nullptr);
  const PageHeapStats st = heap.pages.stats();
  EXPECT_GE(st.soft_limit_hits, 1u);
  EXPECT_GT(st.scavenged_total, 0u);
  heap.pages.free(b);
  heap.pages.free(guard);
}

TEST(PageHeapTest, ARecentlyFreedSpanIsHandedOutAgainWhole) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  Span* a = large(heap.pages, 3);
  Span* b = large(heap.pages, 3);
  const uintptr_t base = a->base;
  heap.pages.free(a);
  heap.pages.free(b);
  heap.pages.verify();
  EXPECT_EQ(heap.pages.stats().idle - heap.pages.stats().released, 6 * kPageBytes);
  EXPECT_EQ(large(heap.pages, 3), b) << "the one freed last";
  Span* again = large(heap.pages, 3);
  EXPECT_EQ(again->base, base);
  EXPECT_TRUE(again->need_zero);
  EXPECT_EQ(heap.map.find_in_use(base + 2 * kPageBytes), again);
  heap.pages.verify();
  heap.pages.free(b);
  heap.pages.free(again);
}

TEST(PageHeapTest, RecentSpansJoinTheirNeighboursBeforeTheHeapGrows) {
  TestHeap heap;
  heap.pages.keep_recent(64 << 20);
  std::vector<Span*> spans;
  while (heap.pages.stats().grows < 2) spans.push_back(large(heap.pages, 16));
  for (Span* s : spans) heap.pages.free(s);
  const uint64_t grows = heap.pages.stats().grows;
  Span* whole = large(heap.pages, spans.size() * 16 - 1);
  ASSERT_NE(whole, nullptr);
  EXPECT_EQ(heap.pages.stats().grows, grows);
  heap.pages.free(whole);
  heap.pages.verify();
}

TEST(PageHeapTest, AChainIsFreedAsOneByOne) {
  TestHeap heap, other;
  Span* chain = nullptr;
  std::vector<Span*> spans;
  for (size_t pages = 1; pages < 200; pages++) {
    Span* s = large(heap.pages, pages);
    s->next = chain;
    chain = s;
    spans.push_back(large(other.pages, pages));
  }
  heap.pages.free_chain(chain);
  for (Span* s : spans) other.pages.free(s);
  const PageHeapStats at_once = heap.pages.stats(), one_by_one = other.pages.stats();
  EXPECT_EQ(at_once.in_use, 0u);
  EXPECT_EQ(at_once.idle, one_by_one.idle);
  EXPECT_EQ(at_once.spans_idle, one_by_one.spans_idle) << "joined, as each free does";
  heap.pages.verify();
}

class PageHeapModelTest : public testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(RecentBytes, PageHeapModelTest, testing::Values(0u, 1u << 20, 1u << 30));

TEST_P(PageHeapModelTest, AgreesWithAModelUnderRandomOperations) {
  TestHeap heap;
  heap.pages.keep_recent(GetParam());
  std::mt19937 random(3);
  std::map<uintptr_t, Span*> live;
  for (int step = 0; step < 6000; step++) {
    const unsigned op = random() % 16;
    if (op < 8 || live.empty()) {
      const size_t pages = random() % 10 == 0 ? 1 + random() % 3000 : 1 + random() % 30;
      const size_t align = random() % 8 == 0 ? size_t{1} << (random() % 8) : 1;
      const unsigned cls = random() % 3 == 0 ? 1 + random() % (kSizeClasses - 1) : 0;
      Span* s = cls != 0 ? heap.pages.allocate(kClasses[cls].pages, cls) : large(heap.pages, pages, align);
      ASSERT_NE(s, nullptr);
      auto after = live.lower_bound(s->base);
      ASSERT_TRUE(after == live.end() || s->end() <= after->first) << "overlaps the next span";
      ASSERT_TRUE(after == live.begin() || std::prev(after)->second->end() <= s->base) << "overlaps the one before";
      live[s->base] = s;
    } else if (op < 15) {
      auto it = live.begin();
      std::advance(it, random() % live.size());
      heap.pages.free(it->second);
      live.erase(it);
    } else {
      heap.pages.scavenge((random() % 64) * kPageBytes, UINT64_MAX);
    }
    if (step % 20 == 0) heap.pages.verify();
  }
  uint64_t in_use = 0;
  for (const auto& [base, s] : live) in_use += s->bytes();
  EXPECT_EQ(heap.pages.stats().in_use, in_use);
  for (const auto& [base, s] : live) heap.pages.free(s);
  heap.pages.verify();
  EXPECT_EQ(heap.pages.stats().in_use, 0u);
}

TEST(PageHeapTest, AbsurdSizesAreRefused) {
  TestHeap heap;
  EXPECT_EQ(large(heap.pages, SIZE_MAX), nullptr);
  EXPECT_EQ(large(heap.pages, SIZE_MAX >> kPageShift), nullptr);
  EXPECT_EQ(large(heap.pages, size_t{1} << 40), nullptr);
  heap.pages.verify();
}

TEST(PageHeapTest, WhatTheSystemCannotBackIsRefusedBeforeThereIsMetadataForIt) {
  TestHeap heap;
  Span* first = large(heap.pages, 1);
  const PageHeapStats before = heap.pages.stats();
  const uint64_t metadata = heap.sys.gc.load();
  OsOps poor = kLinuxOs;
  poor.map = [](void* at, size_t n) -> long { return n > (size_t{1} << 30) ? -12 : kLinuxOs.map(at, n); };
  set_os_ops_for_test(&poor);
  for (int i = 0; i < 5; i++) EXPECT_EQ(large(heap.pages, size_t{1} << 31), nullptr);  // 16 TiB
  set_os_ops_for_test(nullptr);
  EXPECT_EQ(heap.pages.stats().arenas, before.arenas);
  EXPECT_EQ(heap.sys.gc.load(), metadata);
  heap.pages.verify();
  Span* s = large(heap.pages, kPagesPerArena);
  ASSERT_NE(s, nullptr);
  const uintptr_t apart = s->base > first->base ? s->base - first->base : first->base - s->base;
  EXPECT_LE(apart, 2 * kArenaBytes) << "the refused ranges were not used up";
  heap.pages.free(s);
  heap.pages.free(first);
}

// The OS refuses every memory request after the first `g_allowed`.
int g_allowed = 0;
long count_down(long result) { return g_allowed-- > 0 ? result : -12; }
constexpr OsOps kFailing = {
    [](void* hint, size_t n, void** out) -> long { return g_allowed > 0 ? kLinuxOs.reserve(hint, n, out) : count_down(0); },
    [](void* at, size_t n) -> long { return g_allowed-- > 0 ? kLinuxOs.map(at, n) : -12; },
    [](size_t n, void** out) -> long { return g_allowed-- > 0 ? kLinuxOs.alloc(n, out) : -12; },
    [](void* at, size_t n) -> long { return kLinuxOs.unmap(at, n); },
    [](void* at, size_t n) -> long { return g_allowed-- > 0 ? kLinuxOs.release(at, n) : -12; },
    [](void* at, size_t n) -> long { return kLinuxOs.protect_none(at, n); },
    [](void* at, size_t n, bool wanted) -> long { return g_allowed-- > 0 ? kLinuxOs.dump(at, n, wanted) : -12; },
    [](void* at, size_t n) -> long { return g_allowed-- > 0 ? kLinuxOs.fill(at, n) : -12; },
    // Of every other page of the heap refused: nothing depends on it.
    [](void* at, size_t n) -> long { return (reinterpret_cast<uintptr_t>(at) / kPageBytes) % 2 != 0 ? -12 : kLinuxOs.populate(at, n); }};

TEST(PageHeapTest, EveryRefusalOfTheOsGivesNullAndKeepsTheHeapSound) {
  int refused = 0;
  for (int allowed = 0; allowed < 40; allowed++) {
    auto heap = std::make_unique<TestHeap>();
    ASSERT_TRUE(heap->ok);
    g_allowed = allowed;
    set_os_ops_for_test(&kFailing);
    std::map<uintptr_t, Span*> live;
    for (int i = 0; i < 30; i++) {
      if (Span* s = large(heap->pages, 1 + static_cast<size_t>(i) * 300)) live[s->base] = s;
      else refused++;
      if (i % 4 == 3 && !live.empty()) {
        heap->pages.free(live.begin()->second);
        live.erase(live.begin());
        heap->pages.scavenge(SIZE_MAX, UINT64_MAX);
      }
    }
    set_os_ops_for_test(nullptr);
    heap->pages.verify();
    Span* s = large(heap->pages, 10);
    ASSERT_NE(s, nullptr) << "memory is back, so is the heap";
    heap->pages.free(s);
    for (const auto& [base, span] : live) heap->pages.free(span);
    heap->pages.verify();
    EXPECT_EQ(heap->pages.stats().in_use, 0u);
  }
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace liballoc
