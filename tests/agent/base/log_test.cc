// log_test.cc - levels, escaping and the limit on repetition.
#include "agent/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace liballoc::agent {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class LogTest : public testing::Test {
 protected:
  LogTest() {
    set_log_level(LogLevel::kInfo);
    set_log_sink([this](LogLevel, std::string_view line) { lines_.emplace_back(line); });
  }
  ~LogTest() override {
    set_log_sink({});
    set_log_level(LogLevel::kInfo);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevel) {
  log_debug("quiet");
  log_info("one");
  set_log_level(LogLevel::kError);
  log_warning("quiet");
  log_error("two");
  set_log_level(LogLevel::kOff);
  log_error("quiet");
  EXPECT_THAT(lines_, ElementsAre(EndsWith(" info one"), EndsWith(" error two")));
}

TEST_F(LogTest, KeepsAForeignStringOnItsLine) {
  log_info("name a\nb");
  EXPECT_THAT(lines_, ElementsAre(EndsWith("name a\\nb")));
}

TEST_F(LogTest, LinesStartWithUtcTime) {
  log_info("x");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_THAT(lines_[0],
              testing::MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z info x"));
}

TEST_F(LogTest, EveryLevelNameParsesBack) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
    EXPECT_EQ(parse_log_level(log_level_name(level)), level);
  }
  EXPECT_EQ(parse_log_level("verbose"), std::nullopt);
  EXPECT_EQ(parse_log_level(""), std::nullopt);
}

TEST_F(LogTest, LimiterAdmitsABurstThenCountsWhatItLeftOut) {
  LogLimiter limiter(2, std::chrono::seconds(10));
  const LogLimiter::Clock::time_point start(std::chrono::hours(1));
  for (int i = 0; i < 5; ++i) limiter.log_at(start, LogLevel::kInfo, "m" + std::to_string(i));
  limiter.log_at(start + std::chrono::seconds(9), LogLevel::kInfo, "still");
  ASSERT_EQ(lines_.size(), 2u);
  limiter.log_at(start + std::chrono::seconds(10), LogLevel::kInfo, "again");
  ASSERT_EQ(lines_.size(), 3u);
  EXPECT_THAT(lines_[2], HasSubstr("again (4 similar messages left out)"));
  limiter.log_at(start + std::chrono::seconds(10), LogLevel::kInfo, "fresh");
  ASSERT_EQ(lines_.size(), 4u);
  EXPECT_THAT(lines_[3], EndsWith("info fresh"));
}

}  // namespace
}  // namespace liballoc::agent
