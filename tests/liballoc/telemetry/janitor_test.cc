// janitor_test.cc - which left-over segments go and which stay.
#include "liballoc/telemetry/janitor.h"

#include <sys/file.h>

#include "liballoc/os/os.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

constexpr uint64_t kSecond = 1000000000;
constexpr uint64_t kMinute = 60 * kSecond;

class JanitorTest : public testing::Test {
 protected:
  // A file that was last written `age_ns` ago.
  std::string put(const std::string& name, uint64_t age_ns) {
    const std::string path = dir_.path() + "/" + name;
    const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    EXPECT_GE(fd, 0);
    const uint64_t then = now_ - age_ns;
    const timespec times[2] = {
        {0, UTIME_OMIT}, {static_cast<time_t>(then / kSecond), static_cast<long>(then % kSecond)}};
    EXPECT_EQ(futimens(fd, times), 0);
    close(fd);
    return path;
  }
  unsigned clean(const JanitorLimits& limits = {}) {
    return remove_dead_segments(dir_.path().c_str(), now_, limits, scratch_.data());
  }
  bool exists(const std::string& path) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path));
  }

  TempDir dir_;
  uint64_t now_ = realtime_ns();
  std::vector<char> scratch_ = std::vector<char>(kJanitorScratchBytes);
};

TEST_F(JanitorTest, KeepsTheNewestAndTheYoung) {
  std::vector<std::string> paths;
  for (unsigned i = 0; i < 30; i++) {
    paths.push_back(put("liballoc." + std::to_string(1000 + i) + ".5", 60 * kMinute + i * kMinute));
  }
  const std::string young = put("liballoc.999.5", 14 * kMinute);
  EXPECT_EQ(clean(), 15u);  // of 31, the newest 16 stay
  EXPECT_TRUE(exists(young));
  for (unsigned i = 0; i < 15; i++) EXPECT_TRUE(exists(paths[i])) << i;
  for (unsigned i = 15; i < 30; i++) EXPECT_FALSE(exists(paths[i])) << i;
}

TEST_F(JanitorTest, ManyYoungOnesAllStay) {
  for (unsigned i = 0; i < 40; i++)
    put("liballoc." + std::to_string(1000 + i) + ".5", 10 * kMinute);
  EXPECT_EQ(clean(), 0u);
  EXPECT_EQ(dir_.files().size(), 40u);
}

TEST_F(JanitorTest, OfTheYoungSixtyFourStayAndTheyAreTheNewest) {
  for (unsigned i = 0; i < 100; i++)
    put("liballoc." + std::to_string(1000 + i) + ".5", 5 * kMinute + i * kMinute / 100);
  EXPECT_EQ(clean(), 36u);
  EXPECT_EQ(dir_.files().size(), 64u);
}

TEST(JanitorTurnTest, OneStartInSixteenCleansWhoeverStartsAndWhenever) {
  unsigned by_time = 0, by_pid = 0;
  constexpr unsigned kStarts = 16000;
  for (unsigned i = 0; i < kStarts; i++) {
    by_time += is_janitor(1700000000 * kSecond + i * 1000, 77);  // one process name, again and again
    by_pid += is_janitor(1700000000 * kSecond, 1000 + 2 * i);    // a burst within one tick
  }
  for (const unsigned turns : {by_time, by_pid}) {
    EXPECT_GT(turns, kStarts / kStartsPerCleaning * 8 / 10);
    EXPECT_LT(turns, kStarts / kStartsPerCleaning * 12 / 10);
  }
}

TEST_F(JanitorTest, LeavesWhatIsNotASegmentOfOurs) {
  const JanitorLimits none_stays = {
      .max_entries = 256, .keep_newest = 0, .keep_younger_than_ns = kMinute};
  const std::string dead = put("liballoc.1.2", 60 * kMinute);
  for (const char* name : {"liballoc.1", "liballoc.1.2.9", "liballoc.1.2.0", "liballoc.x.2",
                           "liballoc.01.2", "other"}) {
    put(name, 60 * kMinute);
  }
  const std::string target = dir_.path() + "/target";
  close(open(target.c_str(), O_CREAT | O_RDWR, 0600));
  ASSERT_EQ(symlink(target.c_str(), (dir_.path() + "/liballoc.3.4").c_str()), 0);
  ASSERT_EQ(mkdir((dir_.path() + "/liballoc.5.6").c_str(), 0700), 0);
  ASSERT_EQ(mkfifo((dir_.path() + "/liballoc.7.8").c_str(), 0600), 0);
  unsigned expected_left = 10;
  if (geteuid() == 0) {
    const std::string foreign = put("liballoc.9.10", 60 * kMinute);
    ASSERT_EQ(chown(foreign.c_str(), 65534, 65534), 0);
    expected_left++;
  }
  now_ += 60 * kMinute;  // the symlink, the directory and the pipe are old, too
  EXPECT_EQ(clean(none_stays), 1u);
  EXPECT_FALSE(exists(dead));
  EXPECT_EQ(dir_.files().size(), expected_left);
}

TEST_F(JanitorTest, LeavesTheLivingHoweverOld) {
  const std::string path = put("liballoc.1.2", 6000 * kMinute);
  const int fd = open(path.c_str(), O_RDWR);
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
  const JanitorLimits none_stays = {
      .max_entries = 256, .keep_newest = 0, .keep_younger_than_ns = 0};
  EXPECT_EQ(clean(none_stays), 0u);
  close(fd);
  EXPECT_EQ(clean(none_stays), 1u);
}

TEST_F(JanitorTest, LooksAtABoundedNumberOfEntries) {
  for (unsigned i = 0; i < 50; i++) put("liballoc." + std::to_string(1 + i) + ".5", 60 * kMinute);
  const JanitorLimits ten = {.max_entries = 10, .keep_newest = 0, .keep_younger_than_ns = 0};
  const unsigned removed = clean(ten);
  EXPECT_GT(removed, 0u);
  EXPECT_LE(removed, 10u);
}

TEST_F(JanitorTest, AgeOfADeadProcessCountsFromItsLastFigures) {
  // Creation was long ago, but the figures are fresh: an old server that was killed a moment ago.
  const auto write_segment = [&](const std::string& name, uint64_t last_figures_ns) {
    const std::string path = put(name, 0);
    const int fd = open(path.c_str(), O_RDWR);
    liballoc_abi_header header{};
    header.magic = LIBALLOC_ABI_MAGIC;
    header.capacity_bytes = 1 << 20;
    header.directory_offset = 256;
    header.directory_stride = 64;
    header.directory_count = 1;
    header.created_monotonic_ns = 5000 * kMinute;
    header.created_realtime_ns = now_ - 600 * kMinute;
    liballoc_abi_section entry{};
    entry.kind = LIBALLOC_SECTION_MEMSTATS;
    entry.offset = 512;
    liballoc_abi_memstats memstats{};
    memstats.updated_ns = last_figures_ns;
    EXPECT_EQ(pwrite(fd, &header, sizeof(header), 0), 256);
    EXPECT_EQ(pwrite(fd, &entry, sizeof(entry), 256), 64);
    EXPECT_EQ(pwrite(fd, &memstats, sizeof(memstats), 512), 512);
    const uint64_t then = now_ - 600 * kMinute;
    const timespec times[2] = {{0, UTIME_OMIT}, {static_cast<time_t>(then / kSecond), 0}};
    EXPECT_EQ(futimens(fd, times), 0);
    close(fd);
    return path;
  };
  const std::string fresh = write_segment("liballoc.1.2", (5000 + 595) * kMinute);
  const std::string stale = write_segment("liballoc.1.3", (5000 + 10) * kMinute);
  const JanitorLimits by_age = {
      .max_entries = 256, .keep_newest = 0, .keep_younger_than_ns = 15 * kMinute};
  EXPECT_EQ(clean(by_age), 1u);
  EXPECT_TRUE(exists(fresh));
  EXPECT_FALSE(exists(stale));
}

TEST_F(JanitorTest, RunsWhenASegmentIsMadeSoonerOrLater) {
  for (unsigned i = 0; i < 20; i++)
    put("liballoc." + std::to_string(1000 + i) + ".5", 60 * kMinute + i);
  // That none of 400 starts has its turn is a matter of 10^-11.
  for (int starts = 0; dir_.files().size() > 16 && starts < 400; starts++) {
    Segment segment;
    ASSERT_EQ(segment.create({.dir = dir_.path().c_str()}, test_classes().data()), SegmentStatus::kOk);
    segment.retire(LIBALLOC_EXIT_CLEAN, false);
  }
  EXPECT_EQ(dir_.files().size(), 16u);
}

TEST_F(JanitorTest, DirectoryThatIsNotThereIsNoTrouble) {
  EXPECT_EQ(
      remove_dead_segments("/dev/shm/no-such-directory-of-liballoc", now_, {}, scratch_.data()),
      0u);
}

}  // namespace
}  // namespace liballoc
