// collector_test.cc - the life of processes as the agent sees it, with real files and real
// processes.
#include "agent/discover/collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <sstream>
#include <thread>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "tests/agent/discover/child_process.h"
#include "tests/agent/reader/segment_builder.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kDeadline{30};

class CollectorTest : public testing::Test {
 protected:
  CollectorTest() {
    set_log_level(LogLevel::kOff);
    options_.shm_dir = dir_.path();
    options_.interval = milliseconds(20);
    options_.incomplete_grace = milliseconds(200);
    // Dates of the segment: found dead at the start, it counts as having ended just now.
    b_.header.created_realtime_ns =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
  }
  ~CollectorTest() override { set_log_level(LogLevel::kInfo); }

  Collector& start() {
    collector_ = std::make_unique<Collector>(options_, registry_);
    const auto started = collector_->start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    return *collector_;
  }
  // A process with the builder's segment: locked before it appears under its name, as the library
  // does.
  std::unique_ptr<ChildProcess> run(SegmentBuilder& builder, bool unlink_at_end = false) {
    const std::string staged = dir_.path() + "/staged";
    const std::string path = dir_.path() + "/" + builder.file_name();
    SegmentBuilder::write_bytes(staged, builder.bytes(), builder.header.capacity_bytes);
    auto child = std::make_unique<ChildProcess>(staged, unlink_at_end ? path : "");
    std::filesystem::rename(staged, path);
    return child;
  }
  std::string path_of(const SegmentBuilder& builder) const {
    return dir_.path() + "/" + builder.file_name();
  }
  // Polls a condition at every change of the registry, and in between for what the registry does
  // not show.
  bool eventually(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kDeadline;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      registry_.wait_change(registry_.version(), milliseconds(10));
    }
    return true;
  }
  bool reaches(const std::string& key, ProcessState state) {
    return eventually([&] {
      const auto snapshot = registry_.find_key(key);
      return snapshot != nullptr && snapshot->state == state;
    });
  }
  uint64_t rejected(Reject reason) {
    return collector_->stats().rejected[static_cast<size_t>(reason)];
  }

  TempDir dir_;
  SegmentBuilder b_{424242, 777};
  const std::string key_ = "liballoc.424242.777";
  CollectorOptions options_;
  Registry registry_;
  std::unique_ptr<Collector> collector_;
};

TEST_F(CollectorTest, TheRegistryIsFilledWhenStartReturns) {
  b_.set_mallocs(0, 2, 12);
  const auto child = run(b_, false);
  options_.interval = seconds(3600);
  start();
  const auto snapshot = registry_.find_key(key_);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot->state, ProcessState::kRunning);
  EXPECT_EQ(snapshot->memstats.mallocs, 12u);
  EXPECT_EQ(snapshot->exit_time_unix_ns, 0);
  const CollectorStats stats = collector_->stats();
  EXPECT_EQ(stats.processes_live, 1u);
  EXPECT_EQ(stats.segments_read >= 1, true);
  EXPECT_GE(stats.collections, 1u);
}

TEST_F(CollectorTest, AKilledProcessIsServedWithItsLastStateThenForgottenAndRemoved) {
  b_.set_mallocs(0, 2, 5);
  const auto child = run(b_);
  const std::string path = path_of(b_);
  options_.interval = seconds(3600);
  options_.retain_exited = seconds(1);
  start();
  // What was written after the last collection must still be seen.
  b_.set_mallocs(0, 2, 9);
  b_.write_file(dir_.path());
  child->kill();
  ASSERT_TRUE(collector_->collect_now(key_, kDeadline));
  const auto snapshot = registry_.find_key(key_);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_EQ(snapshot->state, ProcessState::kKilled);
  EXPECT_EQ(snapshot->memstats.mallocs, 9u);
  EXPECT_GT(snapshot->exit_time_unix_ns, 0);
  EXPECT_EQ(collector_->stats().processes_exited, 1u);
  EXPECT_TRUE(eventually([&] {
    collector_->collect_now("", kDeadline);
    return registry_.find_key(key_) == nullptr;
  }));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(collector_->stats().segments_removed, 1u);
  EXPECT_EQ(collector_->stats().processes_exited, 0u);
}

TEST_F(CollectorTest, TheLastStateIsReadAfterTheLibraryHasUnlinkedTheFile) {
  const auto child = run(b_, true);
  start();
  ASSERT_TRUE(reaches(key_, ProcessState::kRunning));
  child->finish(LIBALLOC_EXIT_CLEAN);
  EXPECT_FALSE(std::filesystem::exists(path_of(b_)));
  EXPECT_TRUE(reaches(key_, ProcessState::kExitedClean));
}

TEST_F(CollectorTest, AKilledProcessWhoseFileSomebodyElseRemovedFirstWasKilled) {
  const auto child = run(b_, true);
  start();
  ASSERT_TRUE(reaches(key_, ProcessState::kRunning));
  child->finish(LIBALLOC_EXIT_NONE);
  EXPECT_TRUE(reaches(key_, ProcessState::kKilled));
}

TEST_F(CollectorTest, ExitStatesOfKeptSegmentsAreTold) {
  {
    const auto child = run(b_);
    start();
    ASSERT_TRUE(reaches(key_, ProcessState::kRunning));
    child->finish(LIBALLOC_EXIT_FAULT);
    EXPECT_TRUE(reaches(key_, ProcessState::kFaulted));
  }
  SegmentBuilder other(424243, 1);
  const auto child = run(other);
  ASSERT_TRUE(reaches(other.file_name(), ProcessState::kRunning));
  child->finish(LIBALLOC_EXIT_CLEAN);
  EXPECT_TRUE(reaches(other.file_name(), ProcessState::kExitedClean));
}

TEST_F(CollectorTest, AProcessThatGoesOnWithoutTheLockWasNotKilled) {
  // This test process stands for one that has replaced its image by one without the library.
  struct stat ns {};
  ASSERT_EQ(::stat("/proc/self/ns/pid", &ns), 0);
  std::string text(1000, '\0');
  const int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  ASSERT_GT(::read(fd, text.data(), text.size()), 0);
  ::close(fd);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  SegmentBuilder self(static_cast<uint32_t>(::getpid()), std::stoull(field));
  self.header.pid_namespace = static_cast<uint32_t>(ns.st_ino);
  self.header.created_realtime_ns = b_.header.created_realtime_ns;
  self.write_file(dir_.path());
  start();
  EXPECT_TRUE(reaches(self.file_name(), ProcessState::kExitedClean));
}

TEST_F(CollectorTest, AnExecRetiresTheOldImageUnderAKeyOfItsOwn) {
  b_.set_mallocs(0, 2, 5);
  b_.push_event(LIBALLOC_EVENT_HEAP_PEAK, 1);
  const auto first = run(b_);
  start();
  ASSERT_TRUE(reaches(key_, ProcessState::kRunning));
  std::vector<std::unique_ptr<ChildProcess>> images;
  for (uint64_t image = 1; image <= 2; ++image) {
    // The new image finds its predecessor's file unlocked, removes it and makes one of the same
    // name.
    (image == 1 ? first : images.back())->kill();
    std::filesystem::remove(path_of(b_));
    b_.set_mallocs(0, 2, 100 * image);
    images.push_back(run(b_));
    ASSERT_TRUE(eventually([&] {
      const auto now = registry_.find_key(key_);
      return now != nullptr && now->state == ProcessState::kRunning &&
             now->memstats.mallocs == 100 * image;
    }));
    const auto old = registry_.find_key(key_ + "#" + std::to_string(image));
    ASSERT_NE(old, nullptr);
    EXPECT_EQ(old->identity.key, key_ + "#" + std::to_string(image));
    EXPECT_EQ(old->state, ProcessState::kExitedClean);
    EXPECT_EQ(old->memstats.mallocs, image == 1 ? 5u : 100u);
  }
  EXPECT_EQ(registry_.list().size(), 3u);
  EXPECT_EQ(registry_.events().since(key_ + "#1", 0, 10).size(), 1u);
  EXPECT_EQ(registry_.find_pid(424242)->state, ProcessState::kRunning);
}

TEST_F(CollectorTest, DeadSegmentsOlderThanTheRetentionAreRemovedAtTheStart) {
  SegmentBuilder old(424244, 1);  // written long ago, by its own dates
  const std::string old_path = old.write_file(dir_.path());
  const timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, old_path.c_str(), long_ago, 0), 0);
  SegmentBuilder young(424245, 1);
  const std::string young_path = young.write_file(dir_.path());
  SegmentBuilder alive(424246, 1);
  const auto child = run(alive);
  const std::string alive_path = path_of(alive);
  ASSERT_EQ(::utimensat(AT_FDCWD, alive_path.c_str(), long_ago, 0), 0);
  start();
  EXPECT_FALSE(std::filesystem::exists(old_path));
  EXPECT_EQ(registry_.find_key(old.file_name()), nullptr);
  EXPECT_TRUE(std::filesystem::exists(young_path));
  EXPECT_NE(registry_.find_key(young.file_name()), nullptr);
  EXPECT_TRUE(std::filesystem::exists(alive_path)) << "its lock is held";
}

TEST_F(CollectorTest, AFreshSegmentIsWaitedForThenRejectedAsIncomplete) {
  start();
  const auto bytes = b_.bytes();
  auto without_magic = bytes;
  std::memset(without_magic.data(), 0, 8);
  const std::string path = dir_.path() + "/" + key_;
  SegmentBuilder::write_bytes(path, without_magic, LIBALLOC_ABI_CAPACITY_BYTES);
  EXPECT_TRUE(eventually([&] { return rejected(Reject::kIncomplete) == 1; }));
  EXPECT_EQ(registry_.find_key(key_), nullptr);
  // A late writer is still found.
  SegmentBuilder::write_bytes(path, bytes, LIBALLOC_ABI_CAPACITY_BYTES);
  EXPECT_TRUE(eventually([&] { return registry_.find_key(key_) != nullptr; }));
  EXPECT_EQ(rejected(Reject::kIncomplete), 1u) << "counted once, not at every look";
}

TEST_F(CollectorTest, BrokenSegmentsAreCountedByReasonAndDisturbNobody) {
  const auto child = run(b_);
  const std::string good = path_of(b_);
  SegmentBuilder loose(1, 1);
  ASSERT_EQ(::chmod(loose.write_file(dir_.path()).c_str(), 0644), 0);
  SegmentBuilder future(2, 2);
  future.header.major = 7;
  const std::string future_path = future.write_file(dir_.path());
  SegmentBuilder named(3, 3);
  std::filesystem::rename(named.write_file(dir_.path()), dir_.path() + "/liballoc.3.4");
  ASSERT_EQ(::symlink("/dev/zero", (dir_.path() + "/liballoc.9.9").c_str()), 0);
  options_.retain_exited = seconds(0);
  start();
  EXPECT_EQ(rejected(Reject::kWrongMode), 1u);
  EXPECT_EQ(rejected(Reject::kUnsupportedVersion), 1u);
  EXPECT_EQ(rejected(Reject::kNameMismatch), 1u);
  EXPECT_EQ(rejected(Reject::kOpenFailed), 1u);
  EXPECT_EQ(registry_.list().size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(future_path)) << "not ours to judge";
  // Damage to a process that is being served: its last snapshot stays.
  const uint64_t bad = 0;
  const int fd = ::open(good.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(::pwrite(fd, &bad, 8, offsetof(liballoc_abi_header, valid_bytes)), 8);
  EXPECT_TRUE(eventually([&] { return rejected(Reject::kBadHeader) == 1; }));
  EXPECT_NE(registry_.find_key(key_), nullptr);
  EXPECT_FALSE(collector_->collect_now(key_, kDeadline)) << "no fresh snapshot can be had";
  child->kill();
  ::close(fd);
  EXPECT_TRUE(eventually([&] {
    const auto snapshot = registry_.find_key(key_);
    return snapshot == nullptr || snapshot->state == ProcessState::kKilled;
  }));
}

TEST_F(CollectorTest, CollectNowGivesASnapshotMadeAfterTheCall) {
  const auto child = run(b_, false);
  options_.interval = seconds(3600);
  start();
  for (uint64_t mallocs = 1; mallocs <= 50; ++mallocs) {
    b_.set_mallocs(0, 4, mallocs);
    b_.write_file(dir_.path());
    ASSERT_TRUE(collector_->collect_now(key_, kDeadline));
    ASSERT_EQ(registry_.find_key(key_)->memstats.mallocs, mallocs);
  }
  EXPECT_FALSE(collector_->collect_now("liballoc.1.1", kDeadline));
  SegmentBuilder other(424247, 1);
  other.write_file(dir_.path());
  EXPECT_TRUE(collector_->collect_now(other.file_name(), kDeadline)) << "found by looking again";
  collector_->stop();
  EXPECT_FALSE(collector_->collect_now(key_, kDeadline));
  EXPECT_FALSE(collector_->collect_now("", kDeadline));
}

TEST_F(CollectorTest, ManyAskAtOnceAndAllAreServed) {
  const auto child = run(b_, false);
  start();
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) served += collector_->collect_now(t == 0 ? "" : key_, kDeadline);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 200);
}

TEST_F(CollectorTest, EventsReachTheLogOnceAndOverrunsAreCounted) {
  b_.ring_capacity = 8;
  for (int i = 0; i < 20; ++i) b_.push_event(LIBALLOC_EVENT_SPAN_ALLOC, 1);
  const auto child = run(b_, false);
  options_.interval = seconds(3600);
  start();
  ASSERT_TRUE(collector_->collect_now(key_, kDeadline));
  const CollectorStats stats = collector_->stats();
  EXPECT_EQ(stats.ring_events, 8u);
  EXPECT_EQ(stats.ring_missed, 12u);
  EXPECT_EQ(registry_.events().since(key_, 0, 100).size(), 8u);
  EXPECT_EQ(registry_.find_key(key_)->health.ring_missed, 12u);
  EXPECT_EQ(registry_.find_key(key_)->ring_missed_at_first, 12u) << "before there was a reader";
}

TEST_F(CollectorTest, ReadingsOfOneProcessAreNoPassesOverAll) {
  const auto child = run(b_, false);
  options_.interval = seconds(3600);
  start();
  const uint64_t passes = collector_->stats().collections;
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(collector_->collect_now(key_, kDeadline));
  EXPECT_EQ(collector_->stats().collections, passes);
  ASSERT_TRUE(collector_->collect_now("", kDeadline));
  EXPECT_EQ(collector_->stats().collections, passes + 1);
}

TEST_F(CollectorTest, WaitsForADirectoryThatIsNotThereYet) {
  options_.shm_dir = dir_.path() + "/later";
  start();
  EXPECT_TRUE(registry_.list().empty());
  std::filesystem::create_directory(options_.shm_dir);
  b_.write_file(options_.shm_dir);
  EXPECT_TRUE(eventually([&] { return registry_.find_key(key_) != nullptr; }));
}

TEST_F(CollectorTest, RefusesOptionsThatMakeNoSenseByName) {
  CollectorOptions bad = options_;
  bad.shm_dir.clear();
  EXPECT_THAT(Collector(bad, registry_).start().error().message,
              testing::HasSubstr("must not be empty"));
  bad = options_;
  bad.interval = milliseconds(0);
  EXPECT_THAT(Collector(bad, registry_).start().error().message, testing::HasSubstr("0 ms"));
  bad = options_;
  bad.retain_exited = seconds(-5);
  EXPECT_THAT(Collector(bad, registry_).start().error().message, testing::HasSubstr("-5 s"));
}

}  // namespace
}  // namespace liballoc::agent
