// profile_math_test.cc - the estimates are unbiased for every size, within a stated interval.
#include "agent/model/profile_math.h"

#include <gtest/gtest.h>

#include <random>

namespace liballoc::agent {
namespace {

TEST(ProfileMathTest, WeightIsTheInverseOfTheSamplingProbability) {
  EXPECT_DOUBLE_EQ(sample_weight(524288, 524288), 1.0 / (1.0 - std::exp(-1.0)));
  EXPECT_NEAR(sample_weight(8, 524288), 65536.5, 0.01) << "small objects: period/size + 1/2";
  EXPECT_DOUBLE_EQ(sample_weight(uint64_t{1} << 40, 524288), 1.0);
}

TEST(ProfileMathTest, EverySampleCountsOnceWhenAllAreTakenOrThePeriodIsUnknown) {
  for (const uint64_t period : {0u, 1u}) {
    EXPECT_EQ(sample_weight(8, period), 1.0);
    EXPECT_EQ(sample_variance(8, period), 0.0);
  }
}

TEST(ProfileMathTest, WeightIsFiniteForAnObjectOfNoBytes) {
  EXPECT_TRUE(std::isfinite(sample_weight(0, UINT64_MAX)));
  EXPECT_GE(sample_weight(0, 524288), 1.0);
}

TEST(ProfileMathTest, LiveEstimatesNeverGoBelowZero) {
  Bucket bucket;
  bucket.allocated_bytes = 64;
  bucket.period = 4096;
  bucket.allocs = 1;
  bucket.frees = 2;
  bucket.alloc_requested = 10;
  bucket.free_requested = 20;
  EXPECT_EQ(estimate_live_objects(bucket).value, 0.0);
  EXPECT_EQ(estimate_live_bytes(bucket), 0.0);
}

// Samples n objects of each size with the probability of the format, many times with a fixed seed.
// The mean of the estimates must be within 5 standard errors of n (the chance of a false alarm is
// below one in a million), and the estimated variance must agree with the one seen: the variance of
// a sample variance over R rounds is about 2/R of its square, so 5 sigma of R = 2000 rounds is 16
// percent.
TEST(ProfileMathTest, EstimatesAreUnbiasedForEverySize) {
  constexpr uint64_t kPeriod = 65536;
  constexpr int kRounds = 2000;
  constexpr int kObjects = 20000;
  std::mt19937_64 random(7);
  for (const uint64_t size : {16u, 512u, 8192u, 65536u, 262144u}) {
    const double p = sample_probability(size, kPeriod);
    std::binomial_distribution<int> sampled(kObjects, p);
    double sum = 0;
    double sum_of_squares = 0;
    double sum_of_variances = 0;
    for (int round = 0; round < kRounds; ++round) {
      Bucket bucket;
      bucket.allocated_bytes = size;
      bucket.period = kPeriod;
      bucket.allocs = static_cast<uint64_t>(sampled(random));
      const Estimate estimate = estimate_allocated_objects(bucket);
      sum += estimate.value;
      sum_of_squares += (estimate.value - kObjects) * (estimate.value - kObjects);
      sum_of_variances += estimate.variance;
    }
    const double true_variance = kObjects * (1 - p) / p;
    EXPECT_NEAR(sum / kRounds, kObjects, 5 * std::sqrt(true_variance / kRounds)) << size;
    EXPECT_NEAR(sum_of_squares / kRounds, true_variance, 0.16 * true_variance) << size;
    // The estimated variance is itself an estimate: relative error of its mean 1/sqrt(samples
    // seen).
    const double seen = kRounds * kObjects * p;
    EXPECT_NEAR(sum_of_variances / kRounds, true_variance, true_variance * 5 / std::sqrt(seen))
        << size;
  }
}

}  // namespace
}  // namespace liballoc::agent
