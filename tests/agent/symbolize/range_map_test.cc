// range_map_test.cc - nested, touching and overlapping ranges, against a plain search through all
// of them.
#include "agent/base/range_map.h"

#include <gtest/gtest.h>

#include <random>

namespace liballoc::agent {
namespace {

TEST(RangeMap, IsEmptyWithoutRanges) {
  EXPECT_EQ(RangeMap().find(0), RangeMap::kNone);
  EXPECT_EQ(RangeMap::build({}).find(UINT64_MAX), RangeMap::kNone);
}

TEST(RangeMap, CoversFromStartUpToBeforeEnd) {
  const RangeMap map = RangeMap::build({{10, 20, 0, 1}, {20, 30, 0, 2}, {40, UINT64_MAX, 0, 3}});
  EXPECT_EQ(map.find(9), RangeMap::kNone);
  EXPECT_EQ(map.find(10), 1u);
  EXPECT_EQ(map.find(19), 1u);
  EXPECT_EQ(map.find(20), 2u);
  EXPECT_EQ(map.find(30), RangeMap::kNone);
  EXPECT_EQ(map.find(UINT64_MAX - 1), 3u);
  EXPECT_EQ(map.find(UINT64_MAX), RangeMap::kNone);
}

TEST(RangeMap, IgnoresRangesThatEndBeforeTheyStart) {
  EXPECT_TRUE(RangeMap::build({{20, 10, 0, 1}, {5, 5, 0, 2}}).empty());
}

TEST(RangeMap, AgreesWithASearchThroughAllRanges) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<RangeMap::Range> ranges;
    for (uint32_t i = 0; i < 30; ++i) {
      ranges.push_back({random() % 100, random() % 100, random() % 4, i});
    }
    const RangeMap map = RangeMap::build(ranges);
    for (uint64_t address = 0; address < 101; ++address) {
      const RangeMap::Range* best = nullptr;
      for (const RangeMap::Range& r : ranges) {
        const bool covers = r.start <= address && address < r.end;
        if (covers && (best == nullptr || r.priority >= best->priority)) best = &r;
      }
      ASSERT_EQ(map.find(address), best == nullptr ? RangeMap::kNone : best->value) << address;
    }
  }
}

}  // namespace
}  // namespace liballoc::agent
