// result_test.cc - a Result is a value or an error, never both.
#include "agent/base/result.h"

#include <gtest/gtest.h>

#include <memory>

namespace liballoc::agent {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return failure(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

TEST(ResultTest, HoldsAValue) {
  const auto result = half(8);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, 4);
}

TEST(ResultTest, HoldsATypedError) {
  const auto result = half(3);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().message, "odd");
}

TEST(ResultTest, ValueAndErrorMayBeTheSameType) {
  const Result<std::string, std::string> good = std::string("v");
  const Result<std::string, std::string> bad = failure(std::string("e"));
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good.value(), "v");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error(), "e");
}

TEST(ResultTest, MovesOutAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> moved = std::move(*result);
  EXPECT_EQ(*moved, 5);
}

TEST(ResultTest, StatusIsGoodUntilItFails) {
  EXPECT_TRUE(Status{}.ok());
  const Status failed = failure(ErrorCode::kUnavailable, "later");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "later");
}

TEST(ResultDeathTest, ReadingTheMissingSideAborts) {
  EXPECT_DEATH([[maybe_unused]] const auto& e = half(2).error(), "");
  EXPECT_DEATH([[maybe_unused]] const int v = half(1).value(), "");
}

}  // namespace
}  // namespace liballoc::agent
