// thread_cache_test.cc - bins in front of spans, and the page cache, without the layers above.
#include "liballoc/heap/thread_cache.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "liballoc/heap/thread_region.h"

namespace liballoc {
namespace {

class ThreadCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(heap_->init(0));
    ASSERT_TRUE(thread_region_init(*state_, stat_));
  }
  void* allocate(unsigned c) {
    Bin& bin = state_->cache->bins[c];
    if (bin.top == bin.base) return thread_cache_refill(*heap_, *state_, c, &zero_);
    return *--bin.top;
  }
  void release(unsigned c, void* p) {
    Bin& bin = state_->cache->bins[c];
    BadFree bad;
    void* culprit;
    ASSERT_TRUE(bin.top != bin.limit || thread_cache_make_room(*heap_, *state_, c, &bad, &culprit));
    *bin.top++ = p;
  }
  void flush() {
    BadFree bad;
    void* culprit;
    ASSERT_TRUE(thread_cache_flush(*heap_, *state_, &bad, &culprit));
  }
  bool zero_ = false;  // what the last refill said of its slot
  RelaxedCounter stat_;
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
  std::unique_ptr<ThreadState> state_{new ThreadState()};
};

TEST_F(ThreadCacheTest, NeverHandsOutASlotTwiceAndGivesEverythingBack) {
  std::mt19937 random(5);
  std::set<std::pair<unsigned, void*>> live;
  for (int step = 0; step < 60000; step++) {
    const unsigned c = std::vector<unsigned>{1, 2, 9, 30, 50, 66, kSizeClasses + 2}[random() % 7];
    if (random() % 2 == 0 || live.empty()) {
      void* p = allocate(c);
      ASSERT_NE(p, nullptr);
      ASSERT_TRUE(live.emplace(c, p).second);
      ASSERT_EQ(heap_->map().class_of(reinterpret_cast<uintptr_t>(p)), page_class_of(c));
    } else {
      auto it = live.lower_bound({c, nullptr});
      if (it == live.end()) it = live.begin();
      release(it->first, it->second);
      live.erase(it);
    }
    if (step % 5000 == 0) heap_->verify();
  }
  for (const auto& [c, p] : live) release(c, p);
  flush();
  heap_->drain_transfers(true);
  heap_->verify();
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
}

TEST_F(ThreadCacheTest, ABinHoldsNoMoreThanItsClassMay) {
  for (unsigned c : {1u, 20u, 66u}) {
    std::vector<void*> all;
    for (uint32_t i = 0; i < 5 * max_slots(c); i++) all.push_back(allocate(c));
    for (void* p : all) {
      release(c, p);
      const Bin& bin = state_->cache->bins[c];
      ASSERT_LE(static_cast<uint32_t>(bin.top - bin.base), max_slots(c));
    }
  }
  flush();
}

TEST_F(ThreadCacheTest, WhatWasFreedLastComesOutFirst) {
  void* a = allocate(8);
  void* b = allocate(8);
  release(8, a);
  release(8, b);
  EXPECT_EQ(allocate(8), b);
  EXPECT_EQ(allocate(8), a);
}

TEST_F(ThreadCacheTest, ARefillKnowsWhetherItsSlotWasEverUsed) {
  for (const unsigned c : {8u, 66u}) {  // of a span the thread owns, and taken from the list
    void* p = allocate(c);
    EXPECT_TRUE(zero_) << "new memory";
    std::vector<void*> rest;
    const Span* span = heap_->map().find_in_use(reinterpret_cast<uintptr_t>(p));
    for (uint32_t i = 1; i < span->objects; i++) rest.push_back(allocate(c));
    release(c, p);
    for (void* q : rest) release(c, q);
    flush();
    void* again = allocate(c);
    EXPECT_FALSE(zero_) << "given back before, and taken from the transfer cache";
    release(c, again);
    flush();
    heap_->drain_transfers(true);
    static_cast<void>(allocate(c));
    EXPECT_FALSE(zero_) << "and from its span";
    flush();
  }
}

TEST_F(ThreadCacheTest, TheFirstSlotsOfAClassThatWasNeverAskedForAreDeclined) {
  int declined = 0;
  while (!thread_cache_keeps(*state_, 8)) declined++;
  EXPECT_GT(declined, 0);
  EXPECT_LE(declined, 16) << "a thread that frees what others make needs a bin soon";
  EXPECT_TRUE(thread_cache_keeps(*state_, 8));
  EXPECT_FALSE(thread_cache_keeps(*state_, 9)) << "each class by itself";
  static_cast<void>(allocate(9));
  EXPECT_TRUE(thread_cache_keeps(*state_, 9)) << "now it is the thread's own";
  flush();
  EXPECT_FALSE(thread_cache_keeps(*state_, 9)) << "a flushed cache starts anew";
  while (!thread_cache_keeps(*state_, 9)) continue;
  BadFree bad = BadFree::kNone;
  void* culprit = nullptr;
  ASSERT_TRUE(thread_cache_make_room(*heap_, *state_, 9, &bad, &culprit));
  flush();
  EXPECT_FALSE(thread_cache_keeps(*state_, 9)) << "also where nothing was kept";
}

TEST_F(ThreadCacheTest, WhatABinDidNotNeedGoesBackPartByPart) {
  std::array<liballoc_abi_class_counter, kCacheClasses> counters{};
  state_->counters = counters.data();
  const auto held = [&](unsigned c) { return state_->cache->bins[c].top - state_->cache->bins[c].base; };
  const auto shrink = [&] {
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    EXPECT_TRUE(thread_cache_shrink(*heap_, *state_, &bad, &culprit));
  };
  std::vector<void*> some;
  for (int i = 0; i < 400; i++) some.push_back(allocate(8));
  for (void* p : some) release(8, p);
  void* newest = some.back();
  counters[8].refills = 1;
  auto before = held(8);
  ASSERT_GE(before, 100);
  shrink();
  EXPECT_EQ(held(8), before) << "it was filled since the last time";
  while (before > 0) {
    shrink();
    EXPECT_EQ(held(8), before - (before < 4 ? before : before / 4));
    before = held(8);
    ASSERT_TRUE(before == 0 || state_->cache->bins[8].top[-1] == newest) << "the newest stays longest";
  }
  counters[8].refills = 2;
  shrink();
  flush();
  heap_->drain_transfers(true);
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
}

TEST_F(ThreadCacheTest, ADoubleFreeShowsWhenTheSlotGoesBack) {
  void* a = allocate(8);
  release(8, a);
  release(8, a);
  BadFree bad = BadFree::kNone;
  void* culprit = nullptr;
  EXPECT_FALSE(thread_cache_flush(*heap_, *state_, &bad, &culprit));
  EXPECT_EQ(bad, BadFree::kDoubleFree);
  EXPECT_EQ(culprit, a);
}

TEST_F(ThreadCacheTest, TheChildOfAForkFindsEveryBinEmptyAndFullUntilRestored) {
  void* a = allocate(8);
  void* b = allocate(8);
  release(8, b);
  release(8, a);
  const auto held = static_cast<uint64_t>(state_->cache->bins[8].top - state_->cache->bins[8].base);
  state_->cache->state = state_.get();
  thread_cache_save_for_fork(*state_);
  const pid_t child = fork();
  if (child == 0) {
    const Bin& bin = state_->cache->bins[8];
    bool ok = bin.top == bin.base && bin.top == bin.limit && state_->cache->state == nullptr;
    thread_cache_restore_after_fork(*state_);
    ok = ok && thread_cache_bytes(*state_) == held * kClasses[8].bytes;
    ok = ok && allocate(8) == a && allocate(8) == b;
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(allocate(8), a) << "the parent keeps its bins";
}

TEST_F(ThreadCacheTest, PageRunsAreKeptForTheNextRequestOfTheirLength) {
  Span* s = heap_->pages().allocate(10, 0);
  ASSERT_TRUE(state_->pages.keep(*heap_, state_.get(), s));
  EXPECT_EQ(state_->pages.bytes(), 10 * kPageBytes);
  EXPECT_EQ(state_->pages.take(9), nullptr);
  EXPECT_EQ(state_->pages.take(10), s);
  EXPECT_EQ(s->place, SpanPlace::kLarge);
  EXPECT_TRUE(s->need_zero);
  ASSERT_TRUE(state_->pages.keep(*heap_, state_.get(), s));
  flush();
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
}

TEST_F(ThreadCacheTest, ThePageCacheIsBounded) {
  std::vector<Span*> spans;
  for (size_t i = 0; i < 200; i++) spans.push_back(heap_->pages().allocate(5 + i % 120, 0));
  for (Span* s : spans) {
    ASSERT_TRUE(state_->pages.keep(*heap_, state_.get(), s));
    ASSERT_LE(state_->pages.bytes(), kPageCacheMaxBytes);
  }
  EXPECT_GT(state_->pages.bytes(), kPageCacheMaxBytes / 2) << "what is over the bound goes, and a quarter, no more";
  Span* huge = heap_->pages().allocate(kPageCacheMaxPages + 1, 0);
  EXPECT_FALSE(state_->pages.keep(*heap_, state_.get(), huge));
  heap_->pages().free(huge);
  flush();
  EXPECT_EQ(heap_->pages().stats().in_use, 0u);
  heap_->verify();
}

}  // namespace
}  // namespace liballoc
