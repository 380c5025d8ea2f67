// registry_test.cc - lookup, order, versions and waiting.
#include "agent/model/registry.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<Snapshot> make(uint32_t pid, const std::string& key,
                               ProcessState state = ProcessState::kRunning, int64_t exit_time = 0) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->identity.pid = pid;
  snapshot->identity.key = key;
  snapshot->state = state;
  snapshot->exit_time_unix_ns = exit_time;
  return snapshot;
}

TEST(RegistryTest, PublishReplacesByKeyAndListSortsByPid) {
  Registry registry;
  registry.publish(make(20, "a"));
  registry.publish(make(3, "b"));
  const auto newer = make(20, "a");
  registry.publish(newer);
  registry.publish(nullptr);
  const auto all = registry.list();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0]->identity.pid, 3u);
  EXPECT_EQ(all[1], newer);
  EXPECT_EQ(registry.find_key("a"), newer);
  EXPECT_EQ(registry.find_key("c"), nullptr);
}

TEST(RegistryTest, PidMeansTheRunningProcessElseTheOneThatEndedLast) {
  Registry registry;
  EXPECT_EQ(registry.find_pid(5), nullptr);
  registry.publish(make(5, "z-old", ProcessState::kKilled, 100));
  registry.publish(make(5, "a-late", ProcessState::kExitedClean, 200));
  registry.publish(make(6, "other"));
  EXPECT_EQ(registry.find_pid(5)->identity.key, "a-late");
  registry.publish(make(5, "m-running"));
  EXPECT_EQ(registry.find_pid(5)->identity.key, "m-running");
}

TEST(RegistryTest, ReadersKeepWhatTheyGot) {
  Registry registry;
  registry.publish(make(1, "a"));
  const auto kept = registry.find_key("a");
  registry.remove("a");
  EXPECT_EQ(kept->identity.pid, 1u);
  EXPECT_TRUE(registry.list().empty());
}

TEST(RegistryTest, VersionGrowsWithEveryChangeAndOnlyThen) {
  Registry registry;
  const uint64_t start = registry.version();
  registry.publish(make(1, "a"));
  EXPECT_EQ(registry.version(), start + 1);
  registry.remove("nothing");
  EXPECT_EQ(registry.version(), start + 1);
  registry.remove("a");
  EXPECT_EQ(registry.version(), start + 2);
}

TEST(RegistryTest, WaitReturnsAtOnceWhenTheVersionIsOldAndTimesOutWhenItIsNot) {
  Registry registry;
  registry.publish(make(1, "a"));
  EXPECT_TRUE(registry.wait_change(registry.version() - 1, seconds(60)));
  EXPECT_FALSE(registry.wait_change(registry.version(), milliseconds(1)));
}

TEST(RegistryTest, WaitIsWokenByAPublish) {
  Registry registry;
  const uint64_t seen = registry.version();
  std::thread publisher([&] { registry.publish(make(1, "a")); });
  EXPECT_TRUE(registry.wait_change(seen, seconds(60)));
  publisher.join();
}

TEST(RegistryTest, ReadersAndWritersRunTogether) {
  Registry registry;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop) {
      for (const auto& snapshot : registry.list()) {
        // A snapshot is whole: its key belongs to its pid.
        ASSERT_EQ(snapshot->identity.key, "k" + std::to_string(snapshot->identity.pid));
      }
      registry.find_pid(2);
    }
  });
  for (uint32_t i = 0; i < 3000; ++i) {
    registry.publish(make(i % 4, "k" + std::to_string(i % 4)));
    if (i % 7 == 0) registry.remove("k" + std::to_string(i % 4));
  }
  stop = true;
  reader.join();
}

}  // namespace
}  // namespace liballoc::agent
