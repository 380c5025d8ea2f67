// region_map_test.cc - the debug book of memory states against a model with one entry per page.
#include "liballoc/os/region_map.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace liballoc {
namespace {

constexpr uintptr_t kBase = 0x10000;
constexpr size_t kPage = 4096;
constexpr size_t kPages = 64;

TEST(RegionMapTest, AgreesWithAModelUnderRandomTransitions) {
  std::mt19937 random(1);
  RegionMap::Interval table[256];
  RegionMap map(table, 256);
  std::vector<MemState> model(kPages, MemState::kNone);
  int accepted = 0;
  for (int step = 0; step < 200000; step++) {
    const size_t first = random() % kPages, count = 1 + random() % (kPages - first);
    const auto from = static_cast<MemState>(random() % 4), to = static_cast<MemState>(random() % 4);
    bool legal = true;
    for (size_t i = first; i < first + count; i++) legal &= model[i] == from;
    const auto result = map.transition(kBase + first * kPage, count * kPage, from, to);
    ASSERT_EQ(result == RegionMap::Result::kOk, legal);
    if (legal) {
      accepted++;
      for (size_t i = first; i < first + count; i++) model[i] = to;
    }
    for (size_t i = 0; i < kPages; i++) ASSERT_EQ(map.state_at(kBase + i * kPage), model[i]) << "step " << step;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(RegionMapTest, NeighboursInOneStateAreOneInterval) {
  RegionMap::Interval table[16];
  RegionMap map(table, 16);
  for (size_t i = 0; i < 8; i++) {
    ASSERT_EQ(map.transition(kBase + i * kPage, kPage, MemState::kNone, MemState::kReserved), RegionMap::Result::kOk);
  }
  EXPECT_EQ(map.size(), 1u);
}

TEST(RegionMapTest, SaysWhenTheTableIsFull) {
  RegionMap::Interval table[4];
  RegionMap map(table, 4);
  RegionMap::Result last = RegionMap::Result::kOk;
  for (size_t i = 0; i < 8 && last == RegionMap::Result::kOk; i++) {
    last = map.transition(kBase + 2 * i * kPage, kPage, MemState::kNone, MemState::kReady);
  }
  EXPECT_EQ(last, RegionMap::Result::kTableFull);
}

}  // namespace
}  // namespace liballoc
