// size_classes_test.cc - every size, every offset: the tables are proven by walking them.
#include "liballoc/heap/size_classes.h"

#include <gtest/gtest.h>

namespace liballoc {
namespace {

TEST(SizeClassesTest, EverySizeGetsTheSmallestClassThatHoldsIt) {
  for (size_t bytes = 0; bytes <= kMaxSmallBytes; bytes++) {
    const unsigned c = size_to_class(bytes);
    ASSERT_GE(c, 1u);
    ASSERT_LT(c, kSizeClasses);
    ASSERT_GE(kClasses[c].bytes, bytes);
    ASSERT_TRUE(c == 1 || kClasses[c - 1].bytes < bytes) << bytes;
  }
}

TEST(SizeClassesTest, ClassesAscendAndEndAtTheSmallObjectLimit) {
  for (unsigned c = 2; c < kSizeClasses; c++) EXPECT_GT(kClasses[c].bytes, kClasses[c - 1].bytes);
  EXPECT_EQ(kClasses[kSizeClasses - 1].bytes, kMaxSmallBytes);
  EXPECT_EQ(kSpanClasses, 134u);
}

TEST(SizeClassesTest, EveryClassAboveEightBytesIsSixteenByteAligned) {
  for (unsigned c = 2; c < kSizeClasses; c++) EXPECT_EQ(kClasses[c].bytes % 16, 0u) << kClasses[c].bytes;
}

TEST(SizeClassesTest, DivisionByMultiplicationIsExactForEveryOffsetOfEveryClass) {
  for (unsigned c = 1; c < kSizeClasses; c++) {
    const uint32_t span_bytes = static_cast<uint32_t>(kClasses[c].pages * kPageBytes);
    for (uint32_t offset = 0; offset < span_bytes; offset++) {
      ASSERT_EQ(slot_index(offset, kClasses[c].magic), offset / kClasses[c].bytes);
    }
  }
}

TEST(SizeClassesTest, SpansWasteAtMostAnEighthAtTheirEnd) {
  for (unsigned c = 1; c < kSizeClasses; c++) {
    const size_t span_bytes = kClasses[c].pages * kPageBytes;
    EXPECT_LE((span_bytes - kClasses[c].objects * kClasses[c].bytes) * 8, span_bytes) << kClasses[c].bytes;
  }
}

TEST(SizeClassesTest, CacheClassesAndSpanClassesNameTheSameThings) {
  for (unsigned c = 0; c < kSizeClasses; c++) {
    EXPECT_EQ(size_class_of(cache_class(c, false)), c);
    EXPECT_EQ(size_class_of(cache_class(c, true)), c);
    EXPECT_EQ(span_class_of(cache_class(c, false)), c << 1);
    EXPECT_EQ(span_class_of(cache_class(c, true)), c << 1 | 1);
  }
}

}  // namespace
}  // namespace liballoc
