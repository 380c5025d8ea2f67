// fast_log2_test.cc - the committed table against libm.
#include "liballoc/profile/fast_log2.h"

#include <gtest/gtest.h>

#include <cmath>

#include "liballoc/profile/fast_rand.h"

namespace liballoc {
namespace {

constexpr double kTolerance =
    1.2e-5;  // the interpolation's bound is 1 / (8 * 128^2 * ln 2) = 1.1e-5
constexpr double kFixed = static_cast<double>(uint64_t{1} << kLog2FractionBits);

TEST(FastLog2Test, PowersOfTwoAreExact) {
  for (unsigned k = 0; k < 64; k++)
    EXPECT_EQ(fast_log2_fixed(uint64_t{1} << k), uint64_t{k} << kLog2FractionBits);
  for (int k = -1000; k <= 1000; k++) EXPECT_EQ(fast_log2(std::ldexp(1.0, k)), k);
}

TEST(FastLog2Test, TableEntriesAreTheRoundedLogarithms) {
  for (uint64_t i = 128; i <= 256; i++) {
    EXPECT_NEAR(static_cast<double>(fast_log2_fixed(i)) / kFixed, std::log2(static_cast<double>(i)),
                1e-13)
        << i;
  }
}

TEST(FastLog2Test, AgreesWithLibmBetweenTheEntries) {
  FastRand rand(3);
  for (int i = 0; i < 200000; i++) {
    const uint64_t n = (rand.next() >> rand.next_bits(6) % 64) | 1;
    const double expected = std::log2(static_cast<double>(n));
    ASSERT_NEAR(static_cast<double>(fast_log2_fixed(n)) / kFixed, expected, kTolerance) << n;
    ASSERT_NEAR(fast_log2(static_cast<double>(n)), expected, kTolerance) << n;
    ASSERT_NEAR(fast_log2(static_cast<double>(n) * 1e-30),
                std::log2(static_cast<double>(n) * 1e-30), kTolerance)
        << n;
  }
}

TEST(FastLog2Test, NeverDecreases) {
  uint64_t before = 0;
  for (uint64_t n = 1; n < 300000; n++) {
    const uint64_t now = fast_log2_fixed(n);
    ASSERT_GE(now, before) << n;
    before = now;
  }
}

}  // namespace
}  // namespace liballoc
