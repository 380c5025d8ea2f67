// address_map_test.cc - every page of an arena is in exactly one run.
#include "agent/model/address_map.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

constexpr uint64_t kArena = 67108864;
constexpr uint32_t kArenaPages = 8192;

Span span_of(uint64_t first_page, uint32_t pages, uint8_t state, uint8_t flags = 0) {
  static uint32_t record = 0;
  Span span;
  span.record = record++;
  span.base = 5 * kArena + first_page * 8192;
  span.pages = pages;
  span.state = state;
  span.flags = flags;
  return span;
}

uint32_t pages_of(const ArenaMap& arena, RunKind kind) {
  return arena.pages[static_cast<size_t>(kind)];
}

TEST(AddressMapTest, TellsWhatEachPageIsUsedFor) {
  Snapshot snapshot;
  snapshot.spans = {span_of(0, 4, LIBALLOC_SPAN_FULL), span_of(4, 6, LIBALLOC_SPAN_LARGE),
                    span_of(10, 10, LIBALLOC_SPAN_FREE),
                    span_of(20, 5, LIBALLOC_SPAN_FREE, LIBALLOC_SPAN_FLAG_SCAVENGED),
                    span_of(30, 2, LIBALLOC_SPAN_PAGE_CACHED)};
  const AddressMap map = address_map(snapshot);
  ASSERT_EQ(map.arenas.size(), 1u);
  const ArenaMap& arena = map.arenas.front();
  EXPECT_EQ(arena.base, 5 * kArena);
  EXPECT_EQ(pages_of(arena, RunKind::kInUse), 10u);
  EXPECT_EQ(pages_of(arena, RunKind::kIdle), 10u);
  EXPECT_EQ(pages_of(arena, RunKind::kReleased), 5u);
  EXPECT_EQ(pages_of(arena, RunKind::kPageCached), 2u);
  EXPECT_EQ(pages_of(arena, RunKind::kUnknown), kArenaPages - 27);
  EXPECT_EQ(arena.spans, 5u);
  EXPECT_EQ(arena.longest_free_pages, 15u) << "idle and released pages side by side";
  ASSERT_EQ(arena.runs.size(), 6u) << "neighbours of one use are one run";
  uint32_t next = 0;
  for (const PageRun& run : arena.runs) {
    EXPECT_EQ(run.first_page, next);
    next += run.pages;
  }
  EXPECT_EQ(next, kArenaPages);
}

TEST(AddressMapTest, ASpanLargerThanAnArenaCoversSeveral) {
  Snapshot snapshot;
  snapshot.spans = {span_of(kArenaPages - 1, 2 * kArenaPages, LIBALLOC_SPAN_LARGE)};
  const AddressMap map = address_map(snapshot);
  ASSERT_EQ(map.arenas.size(), 3u);
  EXPECT_EQ(pages_of(map.arenas[0], RunKind::kInUse), 1u);
  EXPECT_EQ(pages_of(map.arenas[1], RunKind::kInUse), kArenaPages);
  EXPECT_EQ(pages_of(map.arenas[2], RunKind::kInUse), kArenaPages - 1);
  EXPECT_EQ(map.arenas[0].spans + map.arenas[1].spans + map.arenas[2].spans, 1u);
}

TEST(AddressMapTest, IsBoundedWhateverTheSpansSay) {
  Snapshot snapshot;
  snapshot.spans = {span_of(0, UINT32_MAX, LIBALLOC_SPAN_FREE)};
  const AddressMap map = address_map(snapshot, 10);
  EXPECT_EQ(map.arenas.size(), 10u);
  EXPECT_EQ(map.omitted_pages, UINT32_MAX - 10 * uint64_t{kArenaPages});
  Span last = span_of(0, UINT32_MAX, LIBALLOC_SPAN_FREE);
  last.base = UINT64_MAX - 4095;
  snapshot.spans = {last};
  EXPECT_LE(address_map(snapshot, 10).arenas.size(), 1u);
}

TEST(AddressMapTest, SpansThatAreNotWholePagesCostNoOrder) {
  Snapshot snapshot;
  Span odd = span_of(0, 2, LIBALLOC_SPAN_FULL);
  odd.base += 4096;
  Span next = span_of(2, 1, LIBALLOC_SPAN_FREE);
  next.base += 4096;
  snapshot.spans = {odd, next};
  const AddressMap map = address_map(snapshot);
  uint32_t pages = 0;
  for (const PageRun& run : map.arenas.front().runs) pages += run.pages;
  EXPECT_EQ(pages, kArenaPages);
}

}  // namespace
}  // namespace liballoc::agent
