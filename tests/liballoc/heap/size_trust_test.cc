// size_trust_test.cc - how sizes earn trust and lose it, and the counts of marks. What sized deletes make of it: sized_delete_test.cc.
#include "liballoc/heap/size_trust.h"

#include <gtest/gtest.h>

namespace liballoc {
namespace {

// For the process: one test after the other, in order.
TEST(SizeTrustTest, IsEarnedByManyRightSizesAndLostByOneWrong) {
  EXPECT_FALSE(sizes_on_probation()) << "operators may be the program's own";
  watch_sizes();
  EXPECT_TRUE(sizes_on_probation());
  for (uint64_t i = 0; i < kProbation; i++) {
    EXPECT_FALSE(sizes_are_trusted() || sizes_were_trusted());
    judge_size(true);
  }
  EXPECT_TRUE(sizes_are_trusted() && sizes_were_trusted());
  EXPECT_FALSE(sizes_on_probation());
  judge_size(false);  // of a delete that began before
  EXPECT_FALSE(sizes_are_trusted());
  EXPECT_TRUE(sizes_were_trusted());
  watch_sizes();
  for (uint64_t i = 0; i < kProbation; i++) judge_size(true);
  EXPECT_FALSE(sizes_are_trusted()) << "for good";
}

TEST(SizeTrustTest, MoreMarksThanCanBeCountedStayForEver) {
  constexpr uintptr_t kPage = uintptr_t{77} << kPageShift;
  for (int i = 0; i < 254; i++) mark_page(kPage);
  EXPECT_EQ(marks_beside(kPage + kPageBytes - 1), 254u);
  EXPECT_EQ(marks_beside(kPage + kPageBytes), 0u);
  for (int i = 0; i < 254; i++) unmark_page(kPage);
  EXPECT_EQ(marks_beside(kPage), 0u);
  for (int i = 0; i < 300; i++) mark_page(kPage);
  for (int i = 0; i < 300; i++) unmark_page(kPage);
  EXPECT_NE(marks_beside(kPage), 0u) << "some might be left";
}

}  // namespace
}  // namespace liballoc
