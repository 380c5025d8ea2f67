// memstats_builder_test.cc - the identities hold for every input, and no counter runs backwards.
#include "agent/reader/memstats_builder.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

class MemStatsBuilderTest : public testing::Test {
 protected:
  MemStats build() {
    return builder_.build({b_.size_classes, b_.threads, b_.memstats, spans_, buckets_}, clock_,
                          health_);
  }
  SegmentBuilder b_;
  std::vector<Span> spans_;
  std::vector<Bucket> buckets_;
  MemStatsBuilder builder_;
  WallClock clock_;
  ReadHealth health_;
};

void expect_identities(const MemStats& m) {
  EXPECT_EQ(m.alloc, m.heap_alloc);
  EXPECT_LE(m.frees, m.mallocs);
  EXPECT_EQ(m.heap_objects, m.mallocs - m.frees);
  EXPECT_EQ(m.heap_sys, m.heap_inuse + m.heap_idle);
  EXPECT_LE(m.heap_released, m.heap_idle);
  EXPECT_EQ(m.sys, m.heap_sys + m.stack_sys + m.mspan_sys + m.mcache_sys + m.buck_hash_sys +
                       m.gc_sys + m.other_sys);
  uint64_t live = 0;
  for (const SizeClassStats& c : m.by_size) {
    EXPECT_LE(c.frees, c.mallocs);
    EXPECT_EQ(c.live_bytes, c.malloc_bytes - c.free_bytes);
    live += c.live_bytes;
  }
  EXPECT_EQ(live, m.heap_alloc);
}

TEST_F(MemStatsBuilderTest, SysIsTheSumOfItsParts) {
  b_.memstats.heap_inuse = 100;
  b_.memstats.heap_idle = 20;
  b_.memstats.heap_sys = 120;
  b_.memstats.heap_released = 7;
  b_.memstats.mspan_sys = 3;
  b_.memstats.mcache_sys = 4;
  b_.memstats.buck_hash_sys = 5;
  b_.memstats.gc_sys = 6;
  b_.memstats.other_sys = 7;
  b_.memstats.stack_sys = 8;
  b_.memstats.os_calls[7] = 9;
  const MemStats m = build();
  EXPECT_EQ(m.sys, 153u);
  EXPECT_EQ(m.heap_released, 7u);
  EXPECT_EQ(m.os_calls[7], 9u);
  EXPECT_EQ(health_.corrupt_records, 0u);
  expect_identities(m);
}

TEST_F(MemStatsBuilderTest, TinyAllocationsAreThoseOfTheBlocksWhichAreNewerThanTheRecord) {
  b_.memstats.tiny_allocs = 10;
  b_.threads.resize(2);
  b_.threads[0].tiny_mallocs = 8;
  b_.threads[1].tiny_mallocs = 5;
  EXPECT_EQ(build().tiny_allocs, 13u);
  b_.memstats.tiny_allocs = 20;  // of blocks that could not be read
  EXPECT_EQ(build().tiny_allocs, 20u);
}

TEST_F(MemStatsBuilderTest, AMemstatsRecordThatContradictsItselfIsCountedAndRepaired) {
  b_.memstats.heap_inuse = 100;
  b_.memstats.heap_idle = 20;
  b_.memstats.heap_sys = 999;
  b_.memstats.heap_released = 5000;
  const MemStats m = build();
  EXPECT_EQ(health_.corrupt_records, 1u);
  EXPECT_EQ(m.heap_sys, 120u);
  EXPECT_EQ(m.heap_released, 20u);
  expect_identities(m);
}

TEST_F(MemStatsBuilderTest, FreesSeenBeforeTheirMallocsDoNotMakeLiveCountsNegative) {
  b_.set_mallocs(0, 7, 10);
  b_.set_frees(0, 7, 12);
  b_.threads[0].large_free_bytes = 5;
  const MemStats m = build();
  EXPECT_EQ(m.by_size[7].frees, 10u);
  EXPECT_EQ(m.by_size[7].live_bytes, 0u);
  EXPECT_EQ(m.by_size[0].live_bytes, 0u);
  expect_identities(m);
}

TEST_F(MemStatsBuilderTest, HugeValuesSaturateInsteadOfWrapping) {
  b_.threads.resize(4);
  for (auto& thread : b_.threads) {
    for (auto& c : thread.classes) {
      c.granted = UINT64_MAX;
      c.granted_low = UINT32_MAX;
    }
    thread.large_malloc_bytes = UINT64_MAX;
  }
  b_.memstats.heap_inuse = UINT64_MAX;
  b_.memstats.heap_idle = UINT64_MAX;
  b_.memstats.gc_sys = 1;
  const MemStats m = build();
  EXPECT_EQ(m.mallocs, UINT64_MAX);
  EXPECT_EQ(m.heap_alloc, UINT64_MAX);
  EXPECT_EQ(m.sys, UINT64_MAX);
}

TEST_F(MemStatsBuilderTest, NoCumulativeFigureEverRunsBackwards) {
  std::mt19937_64 random(5);
  b_.threads.resize(2);
  MemStats last;
  last.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  for (int round = 0; round < 300; ++round) {
    for (size_t t = 0; t < 2; ++t) {
      for (uint32_t c = 0; c < LIBALLOC_ABI_CACHE_CLASSES; ++c) {
        b_.set_mallocs(t, c, random() % 1000);
        b_.set_frees(t, c, random() % 1000);
      }
      b_.threads[t].large_malloc_bytes = random() % 100000;
      b_.threads[t].large_free_bytes = random() % 100000;
    }
    for (uint64_t& calls : b_.memstats.os_calls) calls = random() % 100;
    b_.memstats.scavenged_bytes = random() % 100;
    b_.memstats.samples_taken = random() % 100;
    b_.memstats.peak_heap_inuse = random() % 100;
    const MemStats now = build();
    expect_identities(now);
    ASSERT_GE(now.mallocs, last.mallocs);
    ASSERT_GE(now.frees, last.frees);
    ASSERT_GE(now.total_alloc, last.total_alloc);
    ASSERT_GE(now.scavenged_bytes_total, last.scavenged_bytes_total);
    ASSERT_GE(now.samples_taken, last.samples_taken);
    ASSERT_GE(now.peak_heap_inuse, last.peak_heap_inuse);
    for (size_t i = 0; i < 8; ++i) ASSERT_GE(now.os_calls[i], last.os_calls[i]);
    for (size_t i = 0; i < LIBALLOC_ABI_SIZE_CLASSES; ++i) {
      ASSERT_GE(now.by_size[i].mallocs, last.by_size[i].mallocs);
      ASSERT_GE(now.by_size[i].frees, last.by_size[i].frees);
      ASSERT_GE(now.by_size[i].free_bytes, last.by_size[i].free_bytes);
    }
    last = now;
  }
}

}  // namespace
}  // namespace liballoc::agent
