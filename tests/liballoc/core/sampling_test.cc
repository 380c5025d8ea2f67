// sampling_test.cc - the per-class countdown is the Poisson process it claims to be.
#include "liballoc/core/sampling.h"

#include <gtest/gtest.h>

#include <cmath>

namespace liballoc {
namespace {

TEST(SamplingTest, AnObjectIsSampledWithTheProbabilityThatEstimatesAssume) {
  constexpr uint64_t kMean = 65536;
  set_sample_period(kMean);
  auto thread = std::make_unique<Thread>();
  thread->random.seed(42);
  for (const uint32_t bytes : {8u, 64u, 1024u, 8192u, 32768u}) {
    // Runs of unsampled objects between samples are geometric with p = 1 - exp(-bytes/mean).
    const double p = -std::expm1(-double(bytes) / kMean);
    constexpr int kDraws = 20000;
    double objects = 0;
    for (int i = 0; i < kDraws; i++) objects += 1.0 + draw_countdown(*thread, bytes);
    // Mean of a geometric is 1/p, its deviation sqrt(1-p)/p; five of the mean's own bound a false alarm to 1e-6.
    const double tolerance = 5 * std::sqrt(1 - p) / p / std::sqrt(double{kDraws});
    EXPECT_NEAR(objects / kDraws, 1 / p, tolerance + 1e-3 / p) << bytes;
  }
  set_sample_period(0);
}

TEST(SamplingTest, APeriodOfOneSamplesEverythingAndZeroNothing) {
  auto thread = std::make_unique<Thread>();
  set_sample_period(1);
  EXPECT_EQ(draw_countdown(*thread, 8), 0u);
  set_sample_period(0);
  EXPECT_GE(draw_countdown(*thread, 8), 1u << 30);
}

}  // namespace
}  // namespace liballoc
