// sys_mem_test.cc - the seven transitions do what they say to real memory, and every byte is accounted.
#include "liballoc/os/sys_mem.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "liballoc/base/compiler.h"
#include "liballoc/os/os.h"

namespace liballoc {
namespace {

constexpr size_t kBytes = 1 << 20;

struct Figures {
  uint64_t reserved, prepared, ready;
};
Figures figures() {
  const SysMemStats& s = sys_mem_stats();
  return {s.reserved_bytes.load(), s.prepared_bytes.load(), s.ready_bytes.load()};
}

TEST(SysMemTest, AWholeLifeIsAccountedStateByState) {
  const Figures before = figures();
  void* p = sys_reserve(nullptr, kBytes);
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(figures().reserved, before.reserved + kBytes);
  ASSERT_TRUE(sys_map(p, kBytes));
  EXPECT_EQ(figures().reserved, before.reserved);
  EXPECT_EQ(figures().prepared, before.prepared + kBytes);
  sys_used(p, kBytes);
  EXPECT_EQ(figures().ready, before.ready + kBytes);
  memset(p, 1, kBytes);
  ASSERT_TRUE(sys_unused(p, kBytes));
  EXPECT_EQ(static_cast<char*>(p)[kBytes - 1], 0) << "released memory reads as zero";
  sys_used(p, kBytes);
  sys_fault(p, kBytes, MemState::kReady);
  EXPECT_EQ(figures().reserved, before.reserved + kBytes);
  sys_free(p, kBytes, MemState::kReserved);
  const Figures after = figures();
  EXPECT_EQ(after.reserved, before.reserved);
  EXPECT_EQ(after.prepared, before.prepared);
  EXPECT_EQ(after.ready, before.ready);
}

TEST(SysMemTest, AlignedReservationIsAlignedAndTrimmed) {
  const Figures before = figures();
  constexpr size_t kAlign = 64 << 20;
  void* p = sys_reserve_aligned(nullptr, kBytes, kAlign);
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % kAlign, 0u);
  EXPECT_EQ(figures().reserved, before.reserved + kBytes);
  sys_free(p, kBytes, MemState::kReserved);
  EXPECT_EQ(figures().reserved, before.reserved);
}

TEST(SysMemTest, RefusalsGiveNullCountAFailureAndLeaveErrnoAlone) {
  static constexpr OsOps kNothing = {
      [](void*, size_t, void**) -> long { return -ENOMEM; }, [](void*, size_t) -> long { return -ENOMEM; },
      [](size_t, void**) -> long { return -ENOMEM; },        [](void*, size_t) -> long { return -ENOMEM; },
      [](void*, size_t) -> long { return -ENOMEM; },         [](void*, size_t) -> long { return -ENOMEM; },
      [](void*, size_t, bool) -> long { return -ENOMEM; },   [](void*, size_t) -> long { return -ENOMEM; },
      [](void*, size_t) -> long { return -ENOMEM; }};
  const Figures before = figures();
  const uint64_t failures = sys_mem_stats().calls[kSysFailures].load();
  errno = 77;
  set_os_ops_for_test(&kNothing);
  EXPECT_EQ(sys_reserve(nullptr, kBytes), nullptr);
  EXPECT_EQ(sys_reserve_aligned(nullptr, kBytes, kBytes), nullptr);
  EXPECT_EQ(sys_alloc(kBytes), nullptr);
  set_os_ops_for_test(nullptr);
  EXPECT_EQ(errno, 77);
  EXPECT_EQ(sys_mem_stats().calls[kSysFailures].load(), failures + 3);
  EXPECT_EQ(figures().ready, before.ready);
  EXPECT_EQ(figures().reserved, before.reserved);
}

TEST(SysMemTest, WhatTheOsDoesNotTakeBackStaysAccounted) {
  void* const p = sys_alloc(kBytes);
  ASSERT_NE(p, nullptr);
  OsOps ops = kLinuxOs;
  ops.unmap = [](void*, size_t) -> long { return -ENOMEM; };
  const Figures before = figures();
  const uint64_t failures = sys_mem_stats().calls[kSysFailures].load();
  set_os_ops_for_test(&ops);
  sys_free(p, kBytes, MemState::kReady);
  set_os_ops_for_test(nullptr);
  EXPECT_EQ(figures().ready, before.ready);
  EXPECT_EQ(sys_mem_stats().calls[kSysFailures].load(), failures + 1);
  sys_free(p, kBytes, MemState::kReady);
  EXPECT_EQ(figures().ready, before.ready - kBytes);
}

size_t resident_pages(void* at, size_t bytes) {
  std::vector<unsigned char> pages(bytes / system_page_bytes());
  EXPECT_EQ(mincore(at, bytes, pages.data()), 0);
  size_t n = 0;
  for (const unsigned char page : pages) n += page & 1;
  return n;
}

TEST(SysMemTest, PopulatingBacksThePagesThatLieWhollyInTheRangeAndKeepsContents) {
  const size_t page = system_page_bytes();
  auto* const p = static_cast<char*>(sys_alloc(8 * page));
  ASSERT_NE(p, nullptr);
  p[3 * page] = 7;
  ASSERT_EQ(resident_pages(p, 8 * page), 1u);
  const Figures before = figures();
  sys_populate(p + page + 1, 4 * page);
  EXPECT_EQ(resident_pages(p, 8 * page), 3u);
  EXPECT_EQ(resident_pages(p + 2 * page, 3 * page), 3u);
  EXPECT_EQ(p[3 * page], 7);
  EXPECT_EQ(figures().ready, before.ready);
  sys_populate(p, page - 1);
  EXPECT_EQ(resident_pages(p, page), 0u) << "no page lies in it";
  sys_free(p, 8 * page, MemState::kReady);
}

int g_populate_calls = 0;
long g_populate_answer = 0;

TEST(SysMemTest, AKernelThatCannotPopulateIsAskedOnce) {
  OsOps ops = kLinuxOs;
  ops.populate = [](void*, size_t) -> long {
    g_populate_calls++;
    return g_populate_answer;
  };
  set_os_ops_for_test(&ops);
  void* const p = sys_alloc(kBytes);
  g_populate_calls = 0;
  for (const long refusal : {-ENOMEM, -EAGAIN}) {
    g_populate_answer = refusal;
    sys_populate(p, kBytes);
  }
  EXPECT_EQ(g_populate_calls, 2) << "those may pass";
  g_populate_answer = -EINVAL;
  sys_populate(p, kBytes);
  sys_populate(p, kBytes);
  EXPECT_EQ(g_populate_calls, 3);
  sys_free(p, kBytes, MemState::kReady);
  set_os_ops_for_test(nullptr);
}

#if LIBALLOC_DEBUG
TEST(SysMemDeathTest, AnIllegalTransitionEndsADebugBuild) {
  EXPECT_DEATH(
      {
        void* p = sys_reserve(nullptr, kBytes);
        sys_used(p, kBytes);  // Reserved, not Prepared
      },
      "illegal memory state transition");
}
#endif

}  // namespace
}  // namespace liballoc
