// recent_spans_test.cc - which freed spans are kept whole, how many, for how long; and the list that they hang in.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

TEST(SpanListTest, AgreesWithADequeUnderRandomOperations) {
  std::mt19937 random(11);
  std::vector<Span> spans(40);
  std::vector<Span*> outside;
  for (Span& s : spans) outside.push_back(&s);
  std::deque<Span*> model;
  SpanList list;
  for (int step = 0; step < 20000; step++) {
    if (!outside.empty() && random() % 2 == 0) {
      list.push_front(outside.back());
      model.push_front(outside.back());
      outside.pop_back();
    } else if (!model.empty()) {
      const size_t which = random() % 3 == 0 ? 0 : random() % 3 == 1 ? model.size() - 1 : random() % model.size();
      Span* s = model[which];
      list.remove(s);
      model.erase(model.begin() + static_cast<std::ptrdiff_t>(which));
      outside.push_back(s);
    }
    ASSERT_EQ(list.first(), model.empty() ? nullptr : model.front());
    ASSERT_EQ(list.last(), model.empty() ? nullptr : model.back());
    ASSERT_EQ(list.empty(), model.empty());
    size_t i = 0;
    for (Span* s = list.first(); s != nullptr; s = s->next) ASSERT_EQ(s, model[i++]);
    ASSERT_EQ(i, model.size());
  }
}

TEST(RecentSpansTest, ABatchAsLargeAsTheHeapLatelyWasComesBackWhole) {
  TestHeap heap;
  heap.pages.keep_recent(1 << 20);
  std::vector<Span*> spans;
  for (int i = 0; i < 1000; i++) spans.push_back(large(heap.pages, 16));
  const std::set<Span*> before(spans.begin(), spans.end());
  for (Span* s : spans) heap.pages.free(s);
  EXPECT_EQ(heap.pages.stats().spans_idle, 1001u) << "none joined; one is what the heap had left when it grew";
  for (Span*& s : spans) {
    s = large(heap.pages, 16);
    EXPECT_EQ(before.count(s), 1u);
  }
  for (Span* s : spans) heap.pages.free(s);
  heap.pages.verify();
}

TEST(RecentSpansTest, OfLongSpansOnlyThoseOfACommonLengthStayWhole) {
  TestHeap heap;
  heap.pages.keep_recent(64 << 20);
  constexpr size_t kLong = RecentSpans::kShortPages + 1;
  Span* rare = large(heap.pages, kLong);
  Span* beside = large(heap.pages, 1);
  const uintptr_t base = rare->base;
  heap.pages.free(rare);
  EXPECT_FALSE(heap.map.raw_span(base)->recent) << "one of a kind: joined, so that any length can have its pages";
  std::vector<Span*> spans;
  for (uint32_t i = 0; i < RecentSpans::kSeveral; i++) spans.push_back(large(heap.pages, kLong));
  for (Span* s : spans) {
    heap.pages.free(s);
    EXPECT_TRUE(s->recent);
  }
  heap.pages.free(beside);
  heap.pages.verify();
}

TEST(RecentSpansTest, TheOldestOfALengthGoesFirstAndTheNewestIsHandedOutFirst) {
  std::vector<Span> spans(5);
  RecentSpans recent;
  for (size_t i = 0; i < spans.size(); i++) {
    spans[i].pages = 2;
    spans[i].unused_since = 100 + i;
    ASSERT_TRUE(recent.keep(&spans[i], SIZE_MAX));
  }
  EXPECT_EQ(recent.take(2), &spans[4]);
  EXPECT_EQ(recent.take_older_than(101, 2), &spans[0]);
  EXPECT_EQ(recent.take_older_than(101, 2), &spans[1]);
  EXPECT_EQ(recent.take_older_than(101, 2), nullptr) << "younger";
  EXPECT_EQ(recent.take_older_than(UINT64_MAX, 3), nullptr) << "another length";
  EXPECT_EQ(recent.size(), 2u);
  EXPECT_EQ(recent.bytes(), 4 * kPageBytes);
}

TEST(RecentSpansTest, TheirNumberIsBounded) {
  std::vector<Span> spans(RecentSpans::kMaxSpans + 1);
  auto recent = std::make_unique<RecentSpans>();
  for (size_t i = 0; i < spans.size(); i++) {
    spans[i].pages = 1;
    ASSERT_EQ(recent->keep(&spans[i], SIZE_MAX), i < RecentSpans::kMaxSpans);
  }
  EXPECT_NE(recent->take(1), nullptr);
  EXPECT_TRUE(recent->keep(&spans.back(), SIZE_MAX));
}

}  // namespace
}  // namespace liballoc
