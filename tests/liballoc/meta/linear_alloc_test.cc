// linear_alloc_test.cc - bump allocation over a reserved range.
#include "liballoc/meta/linear_alloc.h"

#include <gtest/gtest.h>

#include <cstring>

#include "liballoc/os/sys_mem.h"

namespace liballoc {
namespace {

TEST(LinearAllocTest, AdvancesThroughItsRangeAndMapsAsItGoes) {
  RelaxedCounter stat;
  LinearAlloc linear;
  const size_t page = system_page_bytes();
  ASSERT_TRUE(linear.init(8 * page));
  auto* a = static_cast<char*>(linear.allocate(100, 8, stat));
  auto* b = static_cast<char*>(linear.allocate(page, page, stat));
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b - a, static_cast<ptrdiff_t>(page));
  EXPECT_EQ(stat.load(), 2 * page) << "only what was reached is mapped";
  memset(a, 1, 100);
  memset(b, 1, page);
}

TEST(LinearAllocTest, RefusesBeyondItsRange) {
  RelaxedCounter stat;
  LinearAlloc linear;
  const size_t page = system_page_bytes();
  ASSERT_TRUE(linear.init(2 * page));
  EXPECT_EQ(linear.allocate(3 * page, 8, stat), nullptr);
  EXPECT_NE(linear.allocate(2 * page, 8, stat), nullptr);
  EXPECT_EQ(linear.allocate(1, 1, stat), nullptr);
}

TEST(LinearAllocTest, WithoutARangeThereIsNothing) {
  RelaxedCounter stat;
  LinearAlloc linear;
  EXPECT_EQ(linear.allocate(1, 1, stat), nullptr);
}

}  // namespace
}  // namespace liballoc
