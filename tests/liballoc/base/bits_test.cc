// bits_test.cc - alignment and overflow arithmetic.
#include "liballoc/base/bits.h"

#include <gtest/gtest.h>

namespace liballoc {
namespace {

TEST(BitsTest, AlignsUpAndDownToPowersOfTwo) {
  for (size_t align = 1; align <= 4096; align *= 2) {
    for (size_t n = 0; n < 3 * align; n++) {
      EXPECT_EQ(align_up(n, align) % align, 0u);
      EXPECT_GE(align_up(n, align), n);
      EXPECT_LT(align_up(n, align) - n, align);
      EXPECT_LE(align_down(n, align), n);
    }
  }
}

TEST(BitsTest, CheckedArithmeticReportsOverflow) {
  size_t out = 0;
  EXPECT_TRUE(checked_mul(SIZE_MAX / 2, 2, &out));
  EXPECT_FALSE(checked_mul(SIZE_MAX / 2 + 1, 2, &out));
  EXPECT_TRUE(checked_align_up(SIZE_MAX - 4095, 4096, &out));
  EXPECT_EQ(out, SIZE_MAX - 4095);
  EXPECT_FALSE(checked_align_up(SIZE_MAX - 4094, 4096, &out));
}

TEST(BitsTest, Log2FloorIsTheHighestBit) {
  for (unsigned bit = 0; bit < 64; bit++) EXPECT_EQ(log2_floor(uint64_t{1} << bit), bit);
  EXPECT_EQ(log2_floor(UINT64_MAX), 63u);
}

}  // namespace
}  // namespace liballoc
