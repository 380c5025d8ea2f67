// transfer_cache_test.cc - slots that pass from thread to thread without touching their spans.
#include "liballoc/heap/transfer_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "liballoc/heap/heap.h"

namespace liballoc {
namespace {

constexpr unsigned kClass = 5;         // 64 bytes, 128 per span of one page
constexpr unsigned kManyPages = 41;    // more than one page to a span

class TransferCacheTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(heap_->init(0)); }
  TransferCache& cache(unsigned c = kClass) { return heap_->transfer(c); }
  // Slots as a thread gets them from the central list.
  std::vector<void*> slots(uint32_t n, unsigned c = kClass) {
    std::vector<void*> out(n);
    uint32_t have = 0;
    while (have < n) {
      Span* span = heap_->central(c).cache_span(nullptr, me_);
      have += span->take(out.data() + n - have, n - have);
      heap_->central(c).uncache_span(span);
    }
    return out;
  }
  BadFree give(const std::vector<void*>& some, unsigned c = kClass) {
    BadFree bad = BadFree::kNone;
    given_ = cache(c).give(some.data(), static_cast<uint32_t>(some.size()), &bad);
    return bad;
  }
  std::vector<void*> take(uint32_t n, unsigned c = kClass) {
    std::vector<void*> out(n);
    const uint32_t got = cache(c).take(out.data() + n, n);
    return std::vector<void*>(out.begin() + (n - got), out.end());
  }
  ThreadState* const me_ = reinterpret_cast<ThreadState*>(0x1000);  // an identity; never looked into
  uint32_t given_ = 0;
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
};

TEST_F(TransferCacheTest, WhatWasGivenLastGoesOutFirst) {
  const std::vector<void*> some = slots(6);
  EXPECT_EQ(give(some), BadFree::kNone);
  EXPECT_EQ(take(2), std::vector<void*>(some.begin() + 4, some.end()));
  EXPECT_EQ(take(10), std::vector<void*>(some.begin(), some.begin() + 4)) << "all that is there";
  EXPECT_TRUE(take(1).empty());
}

TEST_F(TransferCacheTest, CountsItsBytesInTheHeapsTotal) {
  EXPECT_EQ(give(slots(10)), BadFree::kNone);
  EXPECT_EQ(cache().size(), 10u);
  EXPECT_EQ(heap_->transfer_bytes(), 10u * kClasses[kClass].bytes);
  EXPECT_EQ(take(4).size(), 4u);
  EXPECT_EQ(heap_->transfer_bytes(), 6u * kClasses[kClass].bytes);
}

TEST_F(TransferCacheTest, WhatFindsNoRoomGoesToTheCentralList) {
  const uint32_t capacity = TransferCache::capacity_of(kClass);
  const std::vector<void*> all = slots(capacity + 300);
  for (size_t i = 0; i < all.size(); i += 100) {
    const std::vector<void*> batch(all.begin() + static_cast<ptrdiff_t>(i),
                                   all.begin() + static_cast<ptrdiff_t>(std::min(i + 100, all.size())));
    ASSERT_EQ(give(batch), BadFree::kNone);
    ASSERT_EQ(given_, batch.size());
  }
  EXPECT_EQ(cache().size(), capacity);
  heap_->drain_transfers(true);
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
  heap_->verify();
}

TEST_F(TransferCacheTest, OnlyWhatNobodyTouchedSinceTheLastTimeIsDrained) {
  const std::vector<void*> some = slots(20);
  EXPECT_EQ(give(some), BadFree::kNone);
  heap_->drain_transfers(false);
  EXPECT_EQ(cache().size(), 20u) << "given since";
  EXPECT_EQ(take(5).size(), 5u);
  EXPECT_EQ(give({some.begin() + 15, some.end()}), BadFree::kNone);
  heap_->drain_transfers(false);
  EXPECT_EQ(cache().size(), 5u) << "15 were never touched";
  EXPECT_EQ(take(5), std::vector<void*>(some.begin() + 15, some.end())) << "the warm ones stayed";
}

TEST_F(TransferCacheTest, DrainedSlotsLeaveRoomAtTheBottom) {
  const uint32_t capacity = TransferCache::capacity_of(kClass);
  const std::vector<void*> all = slots(capacity);
  ASSERT_EQ(give({all.begin(), all.begin() + 1000}), BadFree::kNone);
  heap_->drain_transfers(false);
  ASSERT_EQ(give({all.begin() + 1000, all.begin() + 1010}), BadFree::kNone);
  heap_->drain_transfers(false);  // the first 1000
  for (size_t i = 1010; i + 100 <= all.size(); i += 100) {
    ASSERT_EQ(give({all.begin() + static_cast<ptrdiff_t>(i), all.begin() + static_cast<ptrdiff_t>(i) + 100}), BadFree::kNone);
  }
  const std::vector<void*> out = take(capacity);
  EXPECT_EQ(std::set<void*>(out.begin(), out.end()).size(), out.size());
  EXPECT_EQ(out.front(), all[1000]);
}

TEST_F(TransferCacheTest, RefusesTheMiddleOfAnObject) {
  for (const unsigned c : {kClass, kManyPages}) {
    std::vector<void*> some = slots(3, c);
    some[1] = static_cast<char*>(some[1]) + 8;
    EXPECT_EQ(give(some, c), BadFree::kInterior);
    EXPECT_EQ(given_, 1u) << "it stops there";
  }
}

TEST_F(TransferCacheTest, FindsASlotThatIsTwiceInABatch) {
  for (const unsigned c : {kClass, kManyPages}) {
    for (const uint32_t n : {2u, 7u, 100u, 255u}) {
      std::vector<void*> some = slots(n, c);
      some.back() = some.front();
      EXPECT_EQ(give(some, c), BadFree::kDoubleFree) << n;
      EXPECT_EQ(given_, n - 1);
    }
  }
}

TEST_F(TransferCacheTest, ADoubleFreeInTwoBatchesShowsWhenTheSlotsReachTheirSpan) {
  static void* reported = nullptr;
  heap_->set_bad_free_handler([](BadFree bad, void* culprit) {
    reported = bad == BadFree::kDoubleFree ? culprit : nullptr;
    throw 1;  // the library's own ends the process here
  });
  const std::vector<void*> some = slots(4);
  EXPECT_EQ(give(some), BadFree::kNone);
  EXPECT_EQ(give({some[2]}), BadFree::kNone);
  EXPECT_ANY_THROW(heap_->drain_transfers(true));
  EXPECT_EQ(reported, some[2]);
}

TEST_F(TransferCacheTest, IsDrainedBeforeTheHeapGrows) {
  const std::vector<void*> some = slots(2000);
  EXPECT_EQ(give(some), BadFree::kNone);
  heap_->drain_transfers(false);  // untouched from now on
  const uint64_t grown = heap_->pages().stats().grows;
  while (heap_->pages().stats().grows == grown) ASSERT_NE(heap_->pages().allocate(64, 0), nullptr);
  EXPECT_EQ(cache().size(), 0u);
}

TEST_F(TransferCacheTest, ThreadsNeverGetASlotTwice) {
  const std::vector<void*> some = slots(4000);
  EXPECT_EQ(give(some), BadFree::kNone);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      std::vector<void*> mine(64);
      for (int round = 0; round < 2000; round++) {
        const uint32_t got = cache().take(mine.data() + 64, 64);
        for (uint32_t i = 64 - got; i < 64; i++) *static_cast<void**>(mine[i]) = mine[i];
        BadFree bad = BadFree::kNone;
        cache().give(mine.data() + 64 - got, got, &bad);
        ASSERT_EQ(bad, BadFree::kNone);
        if (round % 100 == 0) heap_->drain_transfers(false);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  heap_->drain_transfers(true);
  heap_->verify();
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
}

}  // namespace
}  // namespace liballoc
