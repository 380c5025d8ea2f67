// emergency_test.cc - memory for calls that come while the allocator is inside itself.
#include "liballoc/core/emergency.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace liballoc {
namespace {

TEST(EmergencyTest, BlocksAreAlignedDisjointAndRecognised) {
  std::vector<std::pair<char*, size_t>> blocks;
  for (size_t i = 0; i < 500; i++) {
    const size_t bytes = i * 37 % 5000, align = size_t{1} << (i % 10);
    auto* p = static_cast<char*>(emergency_alloc(bytes, align));
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    ASSERT_TRUE(in_emergency(p));
    ASSERT_EQ(emergency_usable(p), bytes);
    memset(p, static_cast<int>(i), bytes);
    blocks.emplace_back(p, bytes);
  }
  for (size_t i = 0; i < blocks.size(); i++) {
    for (size_t b = 0; b < blocks[i].second; b++) ASSERT_EQ(blocks[i].first[b], static_cast<char>(i));
  }
  int local = 0;
  EXPECT_FALSE(in_emergency(&local));
}

TEST(EmergencyTest, LargeRequestsGetAChunkOfTheirOwn) {
  auto* p = static_cast<char*>(emergency_alloc(1 << 20, 16));
  ASSERT_NE(p, nullptr);
  memset(p, 1, 1 << 20);
  EXPECT_EQ(emergency_alloc(SIZE_MAX / 2, 16), nullptr);
}

TEST(EmergencyTest, ThreadsNeverShareABlock) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      std::vector<char*> mine;
      for (int i = 0; i < 3000; i++) {
        mine.push_back(static_cast<char*>(emergency_alloc(32, 16)));
        memset(mine.back(), t, 32);
      }
      for (char* p : mine) ASSERT_EQ(p[31], t);
    });
  }
  for (std::thread& t : threads) t.join();
}

}  // namespace
}  // namespace liballoc
