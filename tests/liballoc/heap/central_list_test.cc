// central_list_test.cc - spans between threads and the page heap, and the three outcomes of a sweep.
#include "liballoc/heap/central_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "liballoc/heap/heap.h"
#include "liballoc/heap/size_trust.h"

namespace liballoc {
namespace {

constexpr unsigned kClass = 5;  // 64 bytes, 128 per span

class CentralListTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(heap_->init(0)); }
  std::vector<void*> take_all(Span* span) {
    std::vector<void*> out(span->objects);
    const uint32_t n = span->take(out.data() + out.size(), span->objects);
    return std::vector<void*>(out.rbegin(), out.rbegin() + n);
  }
  BadFree give_back(const std::vector<void*>& slots) {
    BadFree bad = BadFree::kNone;
    heap_->central(kClass).free_slots(slots.data(), static_cast<uint32_t>(slots.size()), &bad);
    return bad;
  }
  CentralList& list() { return heap_->central(kClass); }
  ThreadState* const me_ = reinterpret_cast<ThreadState*>(0x1000);  // an identity; never looked into
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
};

TEST_F(CentralListTest, GivesASpanWithFreeSlotsAndGrowsWhenItHasNone) {
  Span* s = list().cache_span(nullptr, me_);
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->owner, me_);
  EXPECT_EQ(take_all(s).size(), kClasses[kClass].objects);
  Span* t = list().cache_span(s, me_);
  EXPECT_NE(t, s);
  EXPECT_EQ(list().counts().full, 2u);  // one full, one cached
  heap_->verify();
}

TEST_F(CentralListTest, SweepingAnEmptySpanReturnsItToThePageHeap) {
  Span* s = list().cache_span(nullptr, me_);
  const std::vector<void*> slots = take_all(s);
  list().uncache_span(s);
  EXPECT_EQ(give_back(slots), BadFree::kNone);
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
  EXPECT_EQ(list().counts().partial + list().counts().full, 0u);
  heap_->verify();
}

TEST_F(CentralListTest, SweepingAPartlyFreeSpanLeavesItOnThePartialList) {
  Span* s = list().cache_span(nullptr, me_);
  std::vector<void*> slots = take_all(s);
  list().uncache_span(s);
  EXPECT_EQ(list().counts().full, 1u);
  EXPECT_EQ(give_back({slots[3]}), BadFree::kNone);
  EXPECT_EQ(list().counts().partial, 1u);
  Span* again = list().cache_span(nullptr, me_);
  EXPECT_EQ(again, s);
  EXPECT_EQ(take_all(again), std::vector<void*>{slots[3]});
  heap_->verify();
}

TEST_F(CentralListTest, SlotsFreedOfACachedSpanGoStraightToTheCacheThatAsks) {
  Span* s = list().cache_span(nullptr, me_);
  std::vector<void*> slots = take_all(s);
  EXPECT_EQ(give_back({slots[10], slots[11]}), BadFree::kNone);
  EXPECT_EQ(list().cache_span(s, me_), s);
  EXPECT_EQ(take_all(s), (std::vector<void*>{slots[10], slots[11]}));
}

TEST_F(CentralListTest, RefusesWhatIsNotASlotInUse) {
  Span* s = list().cache_span(nullptr, me_);
  std::vector<void*> slots = take_all(s);
  list().uncache_span(s);
  EXPECT_EQ(give_back({static_cast<char*>(slots[0]) + 8}), BadFree::kInterior);
  EXPECT_EQ(give_back({slots[0]}), BadFree::kNone);
  EXPECT_EQ(give_back({slots[0]}), BadFree::kDoubleFree) << "still marked";
  Span* again = list().cache_span(nullptr, me_);  // swept: slot 0 is free
  list().uncache_span(again);
  EXPECT_EQ(give_back({slots[0]}), BadFree::kDoubleFree) << "free in the bitmap";
  EXPECT_EQ(give_back({&slots}), BadFree::kNotAllocated);
  heap_->verify();
}

// What a sized delete did that said the wrong size, and was trusted.
TEST_F(CentralListTest, SlotsOfAnotherClassGoToTheirOwnListOnceSizesWereTrusted) {
  constexpr unsigned kOther = kClass + 3;
  Span* s = list().cache_span(nullptr, me_);
  Span* t = heap_->central(kOther).cache_span(nullptr, me_);
  const std::vector<void*> mine = take_all(s), others = take_all(t);
  list().uncache_span(s);
  heap_->central(kOther).uncache_span(t);
  ASSERT_FALSE(sizes_were_trusted());
  EXPECT_EQ(give_back({others[0]}), BadFree::kNotAllocated) << "how did it come here?";
  watch_sizes();
  for (uint64_t i = 0; i < kProbation; i++) judge_size(true);
  ASSERT_TRUE(sizes_were_trusted());
  EXPECT_EQ(give_back({mine[0], others[0], others[1], mine[1], others[2]}), BadFree::kNone);
  EXPECT_EQ(s->mark_count, 2u);
  EXPECT_EQ(t->mark_count, 3u);
  EXPECT_FALSE(sizes_are_trusted()) << "any more";
  EXPECT_EQ(give_back({mine[2], others[1]}), BadFree::kDoubleFree);
  EXPECT_EQ(give_back({mine[3], static_cast<char*>(others[3]) + 16}), BadFree::kInterior);
  Span* large = heap_->pages().allocate(3, 0);
  EXPECT_EQ(give_back({mine[4], reinterpret_cast<void*>(large->base), mine[5]}), BadFree::kNone) << "lost";
  EXPECT_EQ(s->mark_count, 6u);
  heap_->verify();
}

TEST_F(CentralListTest, ADoubleFreeIsFoundInABatchThatEmptiesItsSpanBefore) {
  Span* s = list().cache_span(nullptr, me_);
  Span* t = list().cache_span(s, me_);
  ASSERT_EQ(s, t);
  const std::vector<void*> first = take_all(s);
  t = list().cache_span(s, me_);
  ASSERT_NE(s, t);
  const std::vector<void*> second = take_all(t);
  list().uncache_span(t);
  std::vector<void*> batch = first;
  batch.push_back(second[0]);
  batch.push_back(first[0]);
  EXPECT_EQ(give_back(batch), BadFree::kDoubleFree);
  heap_->verify();
}

}  // namespace
}  // namespace liballoc
