// many_ended_test.cc - what the agent keeps of more ended processes than it has room for. Must
// never need as many processes: a segment that nobody has locked is that of one that has ended.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>

#include "agent/base/log.h"
#include "agent/discover/collector.h"
#include "agent/reader/limits.h"
#include "tests/agent/reader/segment_builder.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

constexpr uint32_t kSurplus = 20;
constexpr uint32_t kMany = limits::kMaxEnded + kSurplus;

class ManyEndedTest : public testing::Test {
 protected:
  ManyEndedTest() {
    set_log_level(LogLevel::kOff);
    options_.shm_dir = dir_.path();
    options_.interval = std::chrono::hours(1);  // the first pass is all that is looked at
    options_.retain_exited = std::chrono::hours(24);
  }
  ~ManyEndedTest() override { set_log_level(LogLevel::kInfo); }

  // The segment of a process that ended `minutes` ago.
  std::string leave(uint32_t pid, uint64_t exit_state, int minutes) {
    const auto then = std::chrono::system_clock::now() - std::chrono::minutes(minutes);
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(then.time_since_epoch());
    SegmentBuilder builder(pid, 1);
    builder.header.created_realtime_ns = static_cast<uint64_t>(ns.count());
    builder.header.exit_state = exit_state;
    const std::string path = builder.write_file(dir_.path());
    const timespec times[2] = {{ns.count() / 1000000000, 0}, {ns.count() / 1000000000, 0}};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    return path;
  }
  void collect() {
    Collector collector(options_, registry_);
    ASSERT_TRUE(collector.start());
  }

  TempDir dir_;
  CollectorOptions options_;
  Registry registry_;
};

TEST_F(ManyEndedTest, AsManyAsThereIsRoomForAllStay) {
  for (uint32_t pid = 1; pid <= limits::kMaxEnded; ++pid) leave(pid, LIBALLOC_EXIT_CLEAN, 1);
  collect();
  EXPECT_EQ(registry_.list().size(), limits::kMaxEnded);
}

TEST_F(ManyEndedTest, OfTooManyTheOldestGoWithTheirFiles) {
  for (uint32_t pid = 1; pid <= kMany; ++pid) {
    leave(pid, LIBALLOC_EXIT_NONE, static_cast<int>(kMany - pid));
  }
  collect();
  EXPECT_EQ(registry_.list().size(), limits::kMaxEnded);
  for (uint32_t pid = 1; pid <= kMany; ++pid) {
    const std::string name = "liballoc." + std::to_string(pid) + ".1";
    EXPECT_EQ(registry_.find_pid(pid) != nullptr, pid > kSurplus) << pid;
    EXPECT_EQ(std::filesystem::exists(dir_.path() + "/" + name), pid > kSurplus) << pid;
  }
}

TEST_F(ManyEndedTest, CleanExitsMakeRoomForOlderKillsAndFaults) {
  for (uint32_t pid = 1; pid <= 30; ++pid) {
    leave(pid, pid % 2 == 0 ? LIBALLOC_EXIT_NONE : LIBALLOC_EXIT_FAULT, 60);
  }
  for (uint32_t pid = 31; pid <= kMany; ++pid) leave(pid, LIBALLOC_EXIT_CLEAN, 1);
  collect();
  EXPECT_EQ(registry_.list().size(), limits::kMaxEnded);
  for (uint32_t pid = 1; pid <= 30; ++pid) EXPECT_NE(registry_.find_pid(pid), nullptr) << pid;
}

}  // namespace
}  // namespace liballoc::agent
