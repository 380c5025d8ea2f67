// earned_release_test.cc - memory goes back as it is freed, to the extent that the program has earned it by holding it. The clock
// is the test's, so is what the OS says of releases.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"

namespace liballoc {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr size_t kMiB = size_t{1} << 20;

uint64_t g_now = 0;
uint64_t g_releases = 0, g_largest_release = 0;
bool g_refuse = false;

class EarnedReleaseTest : public testing::Test {
 protected:
  void SetUp() override {
    g_now = 1000 * kSecond;
    g_releases = g_largest_release = 0;
    g_refuse = false;
    set_clock_for_test([] { return g_now; });
    ops_ = kLinuxOs;
    ops_.release = [](void* at, size_t n) -> long {
      if (g_refuse) return -12;
      g_releases++;
      if (n > g_largest_release) g_largest_release = n;
      return kLinuxOs.release(at, n);
    };
    set_os_ops_for_test(&ops_);
    ASSERT_TRUE(pages_.init(0));
  }
  void TearDown() override {
    set_clock_for_test(nullptr);
    set_os_ops_for_test(nullptr);
  }
  Span* take(size_t mib) { return pages_.allocate(mib * kMiB >> kPageShift, 0); }
  std::vector<Span*> take_pieces(size_t mib) {
    std::vector<Span*> v;
    for (size_t i = 0; i < mib; i++) v.push_back(take(1));
    return v;
  }
  size_t backed_idle() {
    const PageHeapStats s = pages_.stats();
    return s.idle - s.released;
  }

  OsOps ops_;
  SysStats sys_;
  ArenaMap map_;
  PageHeap pages_{map_, sys_};
};

TEST_F(EarnedReleaseTest, AShortProgramPaysNothing) {
  std::vector<Span*> v = take_pieces(500);
  g_now += kSecond / 2;
  for (Span* s : v) pages_.free(s);
  EXPECT_EQ(g_releases, 0u);
  EXPECT_EQ(backed_idle(), 500 * kMiB);
  pages_.verify();
}

TEST_F(EarnedReleaseTest, WhoHeldItLongEnoughGivesItBackAsItIsFreed) {
  std::vector<Span*> v = take_pieces(500);
  g_now += 30 * kSecond;
  for (Span* s : v) {
    pages_.free(s);
    pages_.verify();
  }
  EXPECT_LE(backed_idle(), 32 * kMiB) << "what is kept for the next request";
  EXPECT_GT(backed_idle(), 0u);
  EXPECT_LE(g_releases, 500u / 10) << "not a system call for each free";
}

TEST_F(EarnedReleaseTest, SpansThatAreKeptWholeAreNoExcuse) {
  pages_.keep_recent(16 * kMiB);
  std::vector<Span*> v = take_pieces(500);
  g_now += 30 * kSecond;
  for (Span* s : v) {
    pages_.free(s);
    pages_.verify();
  }
  EXPECT_LE(backed_idle(), 48 * kMiB);
}

TEST_F(EarnedReleaseTest, OneFreeOfALargeObjectReturnsIt) {
  Span* s = take(700);
  g_now += 60 * kSecond;
  pages_.free(s);
  EXPECT_LE(backed_idle(), 32 * kMiB);
  pages_.verify();
}

TEST_F(EarnedReleaseTest, WhatIsReturnedIsBoundedPerFree) {
  std::vector<Span*> pieces = take_pieces(600);
  for (Span* s : pieces) pages_.free(s);  // nothing earned yet: idle, one span
  Span* small = take(1);
  g_now += 100 * kSecond;
  const uint64_t before = pages_.stats().scavenged_total;
  pages_.free(small);
  EXPECT_GT(pages_.stats().scavenged_total, before);
  EXPECT_LE(pages_.stats().scavenged_total - before, 32 * kMiB);
  EXPECT_LE(g_largest_release, 32 * kMiB) << "a longer span is cut";
  pages_.verify();
}

TEST_F(EarnedReleaseTest, HalfTheTimeEarnsHalfTheMemory) {
  Span* s = take(600);
  g_now += 15 * kSecond;
  pages_.free(s);
  EXPECT_NEAR(static_cast<double>(pages_.stats().scavenged_total), 300.0 * kMiB, 2.0 * kMiB);
}

TEST_F(EarnedReleaseTest, OnlyWhatWasBackedEarns) {
  Span* warm = take(1);
  g_now += 3600 * kSecond;  // an hour with nothing, then a burst
  Span* s = take(500);
  pages_.free(s);
  EXPECT_EQ(pages_.stats().scavenged_total, 0u);
  pages_.free(warm);
}

TEST_F(EarnedReleaseTest, APeakThatComesAndGoesRefaultsAtABoundedRate) {
  // 3 GiB, touched and freed every second for ten minutes: pure address space here, nothing is written.
  for (int i = 0; i < 600; i++) {
    Span* s = take(3072);
    g_now += kSecond;
    pages_.free(s);
  }
  EXPECT_LE(pages_.stats().scavenged_total, 600 * 64 * kMiB);
  EXPECT_GT(pages_.stats().scavenged_total, 300 * 64 * kMiB) << "and it does return what it earned";
  pages_.verify();
}

TEST_F(EarnedReleaseTest, AShareOfWhatIsInUseIsKept) {
  Span* base = take(1000);
  Span* burst = take(300);
  g_now += 60 * kSecond;
  pages_.free(burst);
  EXPECT_NEAR(static_cast<double>(backed_idle()), 116.0 * kMiB, 1.0 * kMiB) << "a tenth, and 16 MiB";
  pages_.free(base);
}

TEST_F(EarnedReleaseTest, ARefusalOfTheOsKeepsTheHeapSoundAndTheBudget) {
  Span* s = take(500);
  g_now += 60 * kSecond;
  g_refuse = true;
  pages_.free(s);
  EXPECT_EQ(pages_.stats().scavenged_total, 0u);
  pages_.verify();
  g_refuse = false;
  pages_.free(take(1));
  EXPECT_GT(pages_.stats().scavenged_total, 0u);
  pages_.verify();
}

}  // namespace
}  // namespace liballoc
