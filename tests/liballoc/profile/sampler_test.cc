// sampler_test.cc - steps have the exponential distribution they claim, and estimates made from
// them are unbiased for every size. Seeds are fixed; each tolerance is 5 standard errors of what is
// measured.
#include "liballoc/profile/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace liballoc {
namespace {

constexpr uint64_t kMeans[] = {2, 100, 4096, 524288, 0x7000000};
using Draw = int32_t (*)(FastRand&, uint64_t);

class ExpRandTest : public testing::TestWithParam<Draw> {};

TEST_P(ExpRandTest, MeanIsTheRequestedOne) {
  for (const uint64_t mean : kMeans) {
    FastRand rand(11);
    constexpr int kDraws = 400000;
    double sum = 0;
    for (int i = 0; i < kDraws; i++) sum += GetParam()(rand, mean);
    // 1 + floor of an exponential has mean 1 / (1 - exp(-1 / mean)); its deviation is about its
    // mean.
    const double expected = 1 / -std::expm1(-1 / static_cast<double>(mean));
    EXPECT_NEAR(sum / kDraws, expected, 5 * expected / std::sqrt(kDraws)) << mean;
  }
}

TEST_P(ExpRandTest, DistributionIsExponential) {
  constexpr uint64_t kMean = 524288;
  FastRand rand(12);
  std::vector<double> draws(200000);
  for (double& d : draws) d = GetParam()(rand, kMean);
  for (const double q : {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999}) {
    const double limit = -std::log1p(-q) * kMean;
    double below = 0;
    for (const double d : draws) below += d <= limit;
    const double n = static_cast<double>(draws.size());
    EXPECT_NEAR(below / n, q, 5 * std::sqrt(q * (1 - q) / n)) << q;
  }
}

TEST_P(ExpRandTest, StepsArePositiveAndFit31Bits) {
  for (const uint64_t mean :
       {uint64_t{1}, uint64_t{2}, uint64_t{524288}, kMaxSampleMean, UINT64_MAX}) {
    FastRand rand(13);
    for (int i = 0; i < 100000; i++) ASSERT_GT(GetParam()(rand, mean), 0) << mean;
  }
}

TEST_P(ExpRandTest, MeanIsClamped) {
  FastRand a(14), b(14);
  for (int i = 0; i < 1000; i++)
    EXPECT_EQ(GetParam()(a, UINT64_MAX), GetParam()(b, kMaxSampleMean));
  EXPECT_EQ(effective_sample_mean(UINT64_MAX), kMaxSampleMean);
  EXPECT_EQ(effective_sample_mean(4096), 4096u);
}

TEST_P(ExpRandTest, MeanOfZeroGivesZero) {
  FastRand rand(15);
  EXPECT_EQ(GetParam()(rand, 0), 0);
}

INSTANTIATE_TEST_SUITE_P(Both, ExpRandTest,
                         testing::Values(&fast_exp_rand, &fast_exp_rand_integer));

TEST(SamplerTest, LongestStepFits) {
  // The least draw, q = 1, gives 26 * ln 2 * mean; a generator cannot be made to yield it, so the
  // formula is checked.
  const double longest = 26 * std::log(2.0) * static_cast<double>(kMaxSampleMean) + 1;
  EXPECT_LT(longest, 2147483647.0);
}

TEST(SamplerTest, IntegerDrawAgreesWithTheFloatingOne) {
  for (const uint64_t mean : kMeans) {
    FastRand a(16), b(16);
    for (int i = 0; i < 20000; i++) {
      const double x = fast_exp_rand(a, mean), y = fast_exp_rand_integer(b, mean);
      ASSERT_LE(std::abs(x - y), 1 + x * 1e-9) << mean;
    }
  }
}

TEST(SamplerTest, ZeroIsNeverAndOneIsAlways) {
  FastRand rand(17);
  EXPECT_EQ(next_sample(rand, 0), INT32_MAX);
  for (int i = 0; i < 100; i++) EXPECT_EQ(next_sample(rand, 1), 0);
}

// One countdown of objects per size, as a thread has one per class: the next step, in whole
// objects.
TEST(SamplerTest, EstimatesAreUnbiasedForEverySize) {
  constexpr uint64_t kMean = 65536;
  for (const uint64_t size : {8, 16, 48, 128, 1024, 8192, 32768, 65536, 262144, 1048576}) {
    FastRand rand(18 + size);
    const double p = -std::expm1(-static_cast<double>(size) / kMean);
    const auto objects = static_cast<uint64_t>(20000 / p);
    uint64_t sampled = 0;
    for (uint64_t i = 0;;) {
      const auto step = static_cast<uint64_t>(next_sample(rand, kMean));
      i += (step + size - 1) / size;  // the object in which the step ends
      if (i > objects) break;
      sampled++;
    }
    const double n = static_cast<double>(objects);
    const double estimate = static_cast<double>(sampled) / p;
    EXPECT_NEAR(estimate, n, 5 * std::sqrt(n * (1 - p) / p) + 1e-4 * n) << size;
  }
}

// One byte countdown shared by all sizes: what is sampled of each size is weighed by its own
// probability.
TEST(SamplerTest, EstimatesAreUnbiasedInAMixture) {
  constexpr uint64_t kMean = 4096;
  constexpr uint64_t kSizes[] = {8, 96, 1024, 8192, 1048576};
  FastRand rand(19), choice(20);
  double seen[5] = {}, estimated[5] = {};
  int64_t left = next_sample(rand, kMean);
  for (int i = 0; i < 3000000; i++) {
    const uint32_t k = choice.next_bits(16) * 5 >> 16;
    seen[k]++;
    left -= static_cast<int64_t>(kSizes[k]);
    if (left > 0) continue;
    estimated[k] += 1 / -std::expm1(-static_cast<double>(kSizes[k]) / kMean);
    left = next_sample(rand, kMean);
  }
  for (int k = 0; k < 5; k++) {
    const double p = -std::expm1(-static_cast<double>(kSizes[k]) / kMean);
    EXPECT_NEAR(estimated[k], seen[k], 5 * std::sqrt(seen[k] * (1 - p) / p) + 1e-4 * seen[k])
        << kSizes[k];
  }
}

}  // namespace
}  // namespace liballoc
