// page_heap_join_test.cc - a request that no free span fits: backed idle pages are used with what lies beside them.
#include <gtest/gtest.h>

#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

constexpr size_t kMiBPages = (size_t{1} << 20) >> kPageShift;

TEST(PageHeapJoinTest, TheHeapGrowsByWhatTheIdlePagesAtItsEndLack) {
  TestHeap heap;
  ASSERT_TRUE(heap.ok);
  Span* low = heap.allocate(4 * kMiBPages);
  Span* high = heap.allocate(16 * kMiBPages);
  const uintptr_t at = high->base;
  ASSERT_EQ(at, low->end());
  heap.pages.free(high);
  const uint64_t backed = heap.backed(), grown = heap.pages.stats().grow_bytes;
  Span* more = heap.allocate(20 * kMiBPages);
  ASSERT_NE(more, nullptr);
  EXPECT_EQ(more->base, at);
  EXPECT_EQ(heap.pages.stats().grow_bytes - grown, 4 * kMiBPages << kPageShift);
  EXPECT_EQ(heap.backed() - backed, 4 * kMiBPages << kPageShift);
  EXPECT_TRUE(more->need_zero) << "a part of it was used before";
  heap.pages.verify();
  heap.pages.free(more);
  heap.pages.free(low);
  heap.pages.verify();
}

TEST(PageHeapJoinTest, BackedPagesAreJoinedWithReleasedOnesOnBothSides) {
  TestHeap heap;
  Span* before = heap.allocate(4 * kMiBPages);
  Span* middle = heap.allocate(4 * kMiBPages);
  Span* after = heap.allocate(4 * kMiBPages);
  ASSERT_EQ(middle->base, before->end());
  ASSERT_EQ(after->base, middle->end());
  Span* guard = heap.allocate(1);
  const uintptr_t begin = before->base, end = after->end();
  heap.pages.free(before);
  heap.pages.free(after);
  ASSERT_GE(heap.pages.scavenge(8 * kMiBPages << kPageShift, UINT64_MAX), 8 * kMiBPages << kPageShift);
  heap.pages.free(middle);
  const uint64_t grown = heap.pages.stats().grow_bytes;
  Span* all = heap.allocate(10 * kMiBPages);
  ASSERT_NE(all, nullptr);
  EXPECT_GE(all->base, begin);
  EXPECT_LE(all->end(), end);
  EXPECT_EQ(heap.pages.stats().grow_bytes, grown);
  // What was not needed stays released.
  EXPECT_EQ(heap.pages.stats().released, heap.pages.stats().idle);
  heap.pages.verify();
  heap.pages.free(all);
  heap.pages.free(guard);
  heap.pages.verify();
}

TEST(PageHeapJoinTest, AFitThatExistsIsTakenAsItIs) {
  TestHeap heap;
  Span* a = heap.allocate(2 * kMiBPages);
  Span* fit = heap.allocate(3 * kMiBPages);
  Span* b = heap.allocate(1 * kMiBPages);
  const uintptr_t at = fit->base;
  heap.pages.free(fit);
  Span* again = heap.allocate(3 * kMiBPages);
  EXPECT_EQ(again->base, at);
  EXPECT_EQ(again->pages, 3 * kMiBPages);
  heap.pages.free(again);
  heap.pages.free(a);
  heap.pages.free(b);
  heap.pages.verify();
}

}  // namespace
}  // namespace liballoc
