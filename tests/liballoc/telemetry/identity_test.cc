// identity_test.cc - the /proc texts, as friendly and as odd as they come.
#include "liballoc/telemetry/identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "liballoc/os/os.h"

namespace liballoc {
namespace {

std::string stat_with(const std::string& command, const std::string& start) {
  return "4711 (" + command + ") S 1 4711 4711 0 -1 4194304 100 0 0 0 3 4 0 0 20 0 1 0 " + start +
         " 1000000 200 18446744073709551615\n";
}

uint64_t ticks(const std::string& text) { return parse_start_ticks(text.data(), text.size()); }

TEST(StartTicksTest, IsField22) { EXPECT_EQ(ticks(stat_with("cat", "123456789")), 123456789u); }

TEST(StartTicksTest, CommandMayHoldBlanksAndBrackets) {
  EXPECT_EQ(ticks(stat_with("a) R 1 2 3 (b", "77")), 77u);
  EXPECT_EQ(ticks(stat_with("(((", "78")), 78u);
  EXPECT_EQ(ticks(stat_with(")", "79")), 79u);
  EXPECT_EQ(ticks(stat_with("", "80")), 80u);
}

TEST(StartTicksTest, OtherTextsGiveZero) {
  EXPECT_EQ(ticks(""), 0u);
  EXPECT_EQ(ticks("4711 (cat"), 0u);
  EXPECT_EQ(ticks("4711 (cat)"), 0u);
  EXPECT_EQ(ticks("4711 (cat) S 1 2 3"), 0u);
  EXPECT_EQ(ticks(stat_with("cat", "x")), 0u);
}

std::string cgroup(const std::string& text, size_t room = 512) {
  std::vector<char> out(room, 'x');
  parse_cgroup(text.data(), text.size(), out.data(), room);
  return out.data();
}

TEST(CgroupTest, UnifiedHierarchyIsTaken) {
  EXPECT_EQ(cgroup("0::/system.slice/redis.service\n"), "/system.slice/redis.service");
  EXPECT_EQ(cgroup("5:memory:/docker/abc\n1:name=systemd:/x\n0::/unified\n"), "/unified");
}

TEST(CgroupTest, MemoryControllerComesNext) {
  EXPECT_EQ(cgroup("12:cpu,cpuacct:/c\n5:memory:/docker/abc\n1:name=systemd:/x\n"), "/docker/abc");
  EXPECT_EQ(cgroup("3:blkio,memory,pids:/m\n"), "/m");
  EXPECT_EQ(cgroup("4:memory_recursive:/not\n3:cpu:/first-of-the-rest\n"), "/not");
}

TEST(CgroupTest, PathMayHoldColons) { EXPECT_EQ(cgroup("0::/a:b:c\n"), "/a:b:c"); }

TEST(CgroupTest, OddTextsGiveNothingAndLongOnesAreCut) {
  EXPECT_EQ(cgroup(""), "");
  EXPECT_EQ(cgroup("no colon\n\n:\n"), "");
  EXPECT_EQ(cgroup("0::/without-newline"), "/without-newline");
  EXPECT_EQ(cgroup("0::/0123456789\n", 6), "/0123");
}

std::string arguments(const std::vector<const char*>& words, size_t room = 64) {
  std::vector<char> out(room, 'x');
  const size_t bytes = copy_arguments(words.data(), words.size(), out.data(), room);
  return {out.data(), bytes};
}

TEST(ArgumentsTest, EachWordHasItsNul) {
  using namespace std::string_literals;
  EXPECT_EQ(arguments({"cat", "", "a b"}), "cat\0\0a b\0"s);
  EXPECT_EQ(arguments({}), "");
}

TEST(ArgumentsTest, WhatHasNoRoomIsCut) {
  using namespace std::string_literals;
  EXPECT_EQ(arguments({"cat", "dog"}, 6), "cat\0do"s);
  EXPECT_EQ(arguments({"cat", "dog"}, 4), "cat\0"s);
  EXPECT_EQ(arguments({"cat", "dog"}, 3), "cat");
}

TEST(ArgumentsTest, AListThatEndsEarlyIsBelieved) { EXPECT_EQ(arguments({"a", nullptr, "b"}), (std::string{'a', '\0'})); }

TEST(IdentityTest, StartTimeIsBeforeNowAndAfterBoot) {
  std::vector<char> scratch(kIdentityScratchBytes);
  const uint64_t own = own_start_ticks(scratch.data());
  ASSERT_NE(own, 0u);
  const uint64_t now = realtime_ns();
  const uint64_t start = start_realtime_ns(own, now);
  EXPECT_LE(start, now);
  struct stat st {};
  ASSERT_EQ(stat("/proc/self", &st), 0);
  // A later process started later.
  EXPECT_LT(start_realtime_ns(own - 100, now), start);
  EXPECT_EQ(start_realtime_ns(0, now), 0u);
}

}  // namespace
}  // namespace liballoc
