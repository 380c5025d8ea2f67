// fixed_alloc_test.cc - one-size free lists.
#include "liballoc/meta/fixed_alloc.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace liballoc {
namespace {

int g_first_calls = 0;

TEST(FixedAllocTest, ReusesWhatWasFreedBeforeTakingMore) {
  RelaxedCounter stat;
  FixedAllocBase fixed(48, stat, true);
  void* a = fixed.allocate();
  fixed.free(a);
  EXPECT_EQ(fixed.allocate(), a);
  EXPECT_EQ(stat.load(), kFixedChunkBytes);
}

TEST(FixedAllocTest, CountsWhatIsInUse) {
  RelaxedCounter stat;
  FixedAllocBase fixed(48, stat, true);
  std::vector<void*> all;
  for (int i = 0; i < 1000; i++) all.push_back(fixed.allocate());
  EXPECT_EQ(fixed.inuse_objects(), 1000u);
  EXPECT_EQ(fixed.inuse_bytes(), 48000u);
  EXPECT_EQ(std::set<void*>(all.begin(), all.end()).size(), 1000u);
  for (void* p : all) fixed.free(p);
  EXPECT_EQ(fixed.inuse_objects(), 0u);
}

TEST(FixedAllocTest, ZeroesReusedObjectsOnlyWhenAsked) {
  RelaxedCounter stat;
  FixedAllocBase zeroing(64, stat, true), plain(64, stat, false);
  for (FixedAllocBase* fixed : {&zeroing, &plain}) {
    auto* p = static_cast<unsigned char*>(fixed->allocate());
    memset(p, 0x5a, 64);
    fixed->free(p);
    ASSERT_EQ(fixed->allocate(), p);
    EXPECT_EQ(p[63], fixed == &zeroing ? 0 : 0x5a);
  }
}

TEST(FixedAllocTest, TheFirstUseHookRunsOncePerObject) {
  RelaxedCounter stat;
  g_first_calls = 0;
  FixedAllocBase fixed(64, stat, true, [](void*) { g_first_calls++; });
  void* a = fixed.allocate();
  void* b = fixed.allocate();
  fixed.free(a);
  a = fixed.allocate();
  EXPECT_NE(a, b);
  EXPECT_EQ(g_first_calls, 2);
}

}  // namespace
}  // namespace liballoc
