// persistent_alloc_test.cc - chunked, never-freed metadata.
#include "liballoc/meta/persistent_alloc.h"

#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace liballoc {
namespace {

TEST(PersistentAllocTest, HandsOutZeroedAlignedDisjointMemory) {
  RelaxedCounter stat;
  std::set<std::pair<uintptr_t, uintptr_t>> taken;
  size_t total = 0;
  for (size_t i = 1; i < 3000; i++) {
    const size_t bytes = i % 700 + 1, align = size_t{1} << (i % 8);
    auto* p = static_cast<char*>(persistent_alloc(bytes, align, stat));
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    for (size_t b = 0; b < bytes; b++) ASSERT_EQ(p[b], 0);
    memset(p, 0xff, bytes);
    taken.emplace(reinterpret_cast<uintptr_t>(p), reinterpret_cast<uintptr_t>(p) + bytes);
    total += bytes;
  }
  uintptr_t last = 0;
  for (const auto& [begin, end] : taken) {
    ASSERT_GE(begin, last);
    last = end;
  }
  EXPECT_EQ(stat.load(), total);
}

TEST(PersistentAllocTest, KnowsItsChunksAndNothingElse) {
  RelaxedCounter stat;
  void* p = persistent_alloc(100, 0, stat);
  int local = 0;
  EXPECT_TRUE(in_persistent_alloc(p));
  EXPECT_FALSE(in_persistent_alloc(&local));
  EXPECT_FALSE(in_persistent_alloc(nullptr));
}

TEST(PersistentAllocTest, LargeRequestsGoToTheOsDirectly) {
  RelaxedCounter stat;
  void* p = persistent_alloc(kPersistentDirectBytes, 0, stat);
  ASSERT_NE(p, nullptr);
  EXPECT_FALSE(in_persistent_alloc(p));
  EXPECT_EQ(stat.load(), kPersistentDirectBytes);
}

TEST(PersistentAllocTest, ThreadsNeverShareMemory) {
  RelaxedCounter stat;
  std::mutex lock;
  std::set<void*> all;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      std::vector<void*> mine;
      for (int i = 0; i < 2000; i++) mine.push_back(persistent_alloc(24, 8, stat));
      std::lock_guard<std::mutex> hold(lock);
      all.insert(mine.begin(), mine.end());
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(all.size(), 8000u);
}

}  // namespace
}  // namespace liballoc
