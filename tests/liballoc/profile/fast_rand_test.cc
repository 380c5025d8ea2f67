// fast_rand_test.cc - the generator's output is spread evenly enough for sampling, and follows its
// seed.
#include "liballoc/profile/fast_rand.h"

#include <gtest/gtest.h>

#include <set>

namespace liballoc {
namespace {

TEST(FastRandTest, SameSeedSameNumbers) {
  FastRand a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; i++) {
    const uint64_t n = a.next();
    EXPECT_EQ(n, b.next());
    differs |= n != c.next();
  }
  EXPECT_TRUE(differs);
}

TEST(FastRandTest, SeedsThatAreCloseGiveNumbersThatAreNot) {
  std::set<uint32_t> first;
  for (uint64_t seed = 0; seed < 1000; seed++) first.insert(FastRand(seed).next_bits(26));
  EXPECT_GT(first.size(), 990u);
}

TEST(FastRandTest, BitsAreWithinTheirWidthAndHalfOfThemSet) {
  FastRand rand(1);
  constexpr int kDraws = 100000;
  int set[26] = {};
  for (int i = 0; i < kDraws; i++) {
    const uint32_t n = rand.next_bits(26);
    ASSERT_LT(n, 1u << 26);
    for (int bit = 0; bit < 26; bit++) set[bit] += n >> bit & 1;
  }
  // 5 standard deviations of a fair coin: sqrt(100000) / 2 = 158 each.
  for (const int ones : set) EXPECT_NEAR(ones, kDraws / 2, 5 * 158);
}

TEST(FastRandTest, BucketsFillEvenly) {
  FastRand rand(2);
  constexpr int kBuckets = 256, kPer = 1000;
  int counts[kBuckets] = {};
  for (int i = 0; i < kBuckets * kPer; i++) counts[rand.next_bits(8)]++;
  double chi2 = 0;
  for (const int n : counts) chi2 += (n - kPer) * static_cast<double>(n - kPer) / kPer;
  // 255 degrees of freedom: mean 255, standard deviation 22.6; 5 of them on either side.
  EXPECT_NEAR(chi2, 255, 5 * 22.6);
}

}  // namespace
}  // namespace liballoc
