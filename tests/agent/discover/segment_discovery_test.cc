// segment_discovery_test.cc - what is found in a directory, and that a directory may come and go.
#include "agent/discover/segment_discovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>
#include <fstream>

#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

void touch(const std::string& path) { std::ofstream(path).put('x'); }

std::vector<std::string> names(Result<std::vector<SegmentName>> result) {
  std::vector<std::string> out;
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  if (result) {
    for (const SegmentName& name : *result) out.push_back(name.text());
  }
  return out;
}

TEST(SegmentDiscoveryTest, ListsOnlyNamesOfSegments) {
  TempDir dir;
  for (const char* name :
       {"liballoc.1.2", "liballoc.77.9000", "liballoc.1.2.control", "other", "liballoc.x.1"}) {
    touch(dir.path() + "/" + name);
  }
  SegmentDiscovery discovery(dir.path());
  EXPECT_THAT(names(discovery.scan()), UnorderedElementsAre("liballoc.1.2", "liballoc.77.9000"));
  EXPECT_THAT(names(discovery.scan()), UnorderedElementsAre("liballoc.1.2", "liballoc.77.9000"))
      << "a second listing starts from the beginning";
  EXPECT_GE(discovery.directory_fd(), 0);
}

TEST(SegmentDiscoveryTest, NamesTheMissingDirectoryAndFindsItLater) {
  TempDir dir;
  const std::string path = dir.path() + "/later";
  SegmentDiscovery discovery(path);
  const auto missing = discovery.scan();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, testing::HasSubstr(path));
  std::filesystem::create_directory(path);
  touch(path + "/liballoc.5.6");
  EXPECT_THAT(names(discovery.scan()), UnorderedElementsAre("liballoc.5.6"));
  std::filesystem::remove_all(path);
  std::filesystem::create_directory(path);
  EXPECT_THAT(names(discovery.scan()), IsEmpty()) << "the new directory, not the removed one";
}

TEST(SegmentDiscoveryTest, TheWatchTellsThatANameHasCome) {
  TempDir dir;
  SegmentDiscovery discovery(dir.path());
  EXPECT_THAT(names(discovery.scan()), IsEmpty());
  if (discovery.watch_fd() < 0) GTEST_SKIP() << "no inotify here";
  EXPECT_FALSE(discovery.drain_watch());
  touch(dir.path() + "/liballoc.1.2");
  pollfd ready{discovery.watch_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ready, 1, 10000), 1);
  EXPECT_TRUE(discovery.drain_watch());
  EXPECT_FALSE(discovery.drain_watch());
}

}  // namespace
}  // namespace liballoc::agent
