// counters_test.cc - one word that counts and paces: exact at every step, across rearming and 32-bit wraps.
#include "liballoc/core/counters.h"

#include <gtest/gtest.h>

#include <random>

namespace liballoc {
namespace {

TEST(CountersTest, EveryCountedObjectShowsAtOnce) {
  liballoc_abi_class_counter c = {};
  rearm_counter(c, 0, 1000);
  for (uint64_t n = 0; n < 1000; n++) {
    ASSERT_EQ(counted_mallocs(c), n);
    ASSERT_FALSE(count_malloc(c));
  }
  EXPECT_TRUE(count_malloc(c)) << "the object after the countdown";
  EXPECT_EQ(counted_mallocs(c), 1001u);
}

TEST(CountersTest, RearmingKeepsTheCount) {
  std::mt19937 random(1);
  liballoc_abi_class_counter c = {};
  uint64_t truth = 0;
  rearm_counter(c, 0, 0);
  for (int i = 0; i < 200000; i++) {
    truth++;
    if (count_malloc(c)) rearm_counter(c, counted_mallocs(c), random() % 50);
    ASSERT_EQ(counted_mallocs(c), truth);
  }
}

TEST(CountersTest, CountsPastThirtyTwoBits) {
  liballoc_abi_class_counter c = {};
  const uint64_t start = (uint64_t{1} << 32) - 5;
  rearm_counter(c, start, 100);
  for (uint64_t n = 1; n <= 50; n++) {
    count_malloc(c);
    ASSERT_EQ(counted_mallocs(c), start + n);
  }
  rearm_counter(c, counted_mallocs(c), INT32_MAX);
  EXPECT_EQ(counted_mallocs(c), start + 50);
}

TEST(CountersTest, AReaderBetweenTheTwoStoresOfARearmSeesTheSameCount) {
  liballoc_abi_class_counter c = {};
  rearm_counter(c, 1000, 7);
  liballoc_abi_class_counter torn = c;
  torn.granted = 1000 + 500000;  // granted is new, the word is old
  EXPECT_EQ(counted_mallocs(torn), counted_mallocs(c));
}

TEST(CountersTest, FreesAddOne) {
  liballoc_abi_class_counter c = {};
  for (int i = 0; i < 10; i++) count_free(c);
  EXPECT_EQ(c.frees, 10u);
}

}  // namespace
}  // namespace liballoc
