// realloc_test.cc - where realloc leaves an object and what it keeps, at every class boundary and for objects of whole pages. This
// process runs on liballoc.a.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "liballoc/heap/size_classes.h"

namespace {

using liballoc::kClasses;
using liballoc::kPageBytes;
using liballoc::kSizeClasses;

void fill(void* p, size_t bytes, unsigned seed) {
  auto* b = static_cast<unsigned char*>(p);
  for (size_t i = 0; i < bytes; i++) b[i] = static_cast<unsigned char>(i % 251 + seed);
}

bool holds(const void* p, size_t bytes, unsigned seed) {
  const auto* b = static_cast<const unsigned char*>(p);
  for (size_t i = 0; i < bytes; i++) {
    if (b[i] != static_cast<unsigned char>(i % 251 + seed)) return false;
  }
  return true;
}

TEST(ReallocTest, StaysInItsSlotWhileItFitsAndFillsHalf) {
  for (unsigned c = 2; c < kSizeClasses; c++) {
    const size_t slot = kClasses[c].bytes;
    void* p = malloc(slot);
    fill(p, slot, c);
    for (const size_t n : {slot - 1, slot / 2, slot / 2 + 1, slot}) {
      ASSERT_EQ(realloc(p, n), p) << slot << " to " << n;
    }
    ASSERT_TRUE(holds(p, slot, c));
    free(p);
  }
}

TEST(ReallocTest, MovesAcrossEveryClassBoundaryWithItsContents) {
  for (unsigned c = 1; c < kSizeClasses; c++) {
    const size_t slot = kClasses[c].bytes;
    void* p = malloc(slot);
    fill(p, slot, c);
    p = realloc(p, slot + 1);  // out of its slot, for the last class into pages of its own
    ASSERT_GT(malloc_usable_size(p), slot);
    ASSERT_TRUE(holds(p, slot, c));
    p = realloc(p, slot / 3 + 1);  // less than half
    ASSERT_LE(malloc_usable_size(p), slot);
    ASSERT_TRUE(holds(p, slot / 3 + 1, c));
    free(p);
  }
}

TEST(ReallocTest, FromEveryClassToEveryClass) {
  for (unsigned from = 1; from < kSizeClasses; from++) {
    for (unsigned to = 1; to < kSizeClasses; to++) {
      const size_t a = kClasses[from].bytes, b = kClasses[to].bytes;
      void* p = malloc(a);
      fill(p, a, from);
      p = realloc(p, b);
      ASSERT_GE(malloc_usable_size(p), b);
      ASSERT_TRUE(holds(p, a < b ? a : b, from)) << a << " to " << b;
      free(p);
    }
  }
}

TEST(ReallocTest, ALargeObjectShrinksInPlaceAndItsTailIsIdle) {
  void* p = malloc(size_t{16} << 20);
  fill(p, size_t{16} << 20, 9);
  const struct mallinfo2 before = mallinfo2();
  ASSERT_EQ(realloc(p, size_t{4} << 20), p);
  EXPECT_EQ(malloc_usable_size(p), size_t{4} << 20);
  EXPECT_TRUE(holds(p, size_t{4} << 20, 9));
  const struct mallinfo2 after = mallinfo2();
  EXPECT_EQ(before.hblkhd - after.hblkhd, size_t{12} << 20);
  EXPECT_EQ(before.hblks, after.hblks);
  EXPECT_GE(after.keepcost, before.keepcost + (size_t{12} << 20));
  free(p);
}

TEST(ReallocTest, ALargeObjectGrowsInPlaceWhileThePagesBehindItAreFree) {
  auto* p = static_cast<char*>(malloc(size_t{8} << 20));
  fill(p, size_t{8} << 20, 2);
  ASSERT_EQ(realloc(p, size_t{1} << 20), p);  // 7 MiB behind it are free now
  for (size_t mib = 2; mib <= 8; mib++) {
    ASSERT_EQ(realloc(p, mib << 20), p);
    memset(p + ((mib - 1) << 20), static_cast<int>(mib), size_t{1} << 20);
  }
  EXPECT_TRUE(holds(p, size_t{1} << 20, 2));
  free(p);
}

TEST(ReallocTest, AShortTailStaysForTheNextGrowth) {
  void* p = malloc(size_t{1} << 20);
  ASSERT_EQ(realloc(p, (size_t{1} << 20) - 2 * kPageBytes), p);
  EXPECT_EQ(malloc_usable_size(p), size_t{1} << 20);
  free(p);
}

TEST(ReallocTest, ALargeObjectBecomesASmallOneAndBack) {
  void* p = malloc(size_t{1} << 20);
  fill(p, size_t{1} << 20, 4);
  p = realloc(p, 100);
  EXPECT_EQ(malloc_usable_size(p), 112u);
  EXPECT_TRUE(holds(p, 100, 4));
  p = realloc(p, size_t{1} << 20);
  EXPECT_TRUE(holds(p, 100, 4));
  free(p);
}

TEST(ReallocTest, GrownMemoryIsNeverHandedOutTwiceAndCallocClearsWhatWasGivenBack) {
  std::mt19937 random(21);
  struct Object {
    void* p;
    size_t bytes;
    unsigned seed;
  };
  std::vector<Object> live;
  for (int step = 0; step < 3000; step++) {
    const size_t bytes = 33000 + random() % 400000;
    const unsigned op = random() % 8;
    if (live.size() < 8 || op < 2) {
      Object o = {nullptr, bytes, static_cast<unsigned>(random() % 250)};
      if (random() % 2 == 0) {
        o.p = calloc(1, bytes);
        for (size_t i = 0; i < bytes; i += 512) ASSERT_EQ(static_cast<char*>(o.p)[i], 0);
      } else {
        o.p = malloc(bytes);
      }
      fill(o.p, bytes, o.seed);
      live.push_back(o);
    } else if (op < 4) {
      const size_t i = random() % live.size();
      ASSERT_TRUE(holds(live[i].p, live[i].bytes, live[i].seed));
      free(live[i].p);
      live[i] = live.back();
      live.pop_back();
    } else {
      Object& o = live[random() % live.size()];
      o.p = realloc(o.p, bytes);
      ASSERT_TRUE(holds(o.p, bytes < o.bytes ? bytes : o.bytes, o.seed)) << o.bytes << " to " << bytes;
      o.bytes = bytes;
      fill(o.p, bytes, o.seed);
    }
  }
  for (const Object& o : live) {
    EXPECT_TRUE(holds(o.p, o.bytes, o.seed));
    free(o.p);
  }
}

TEST(ReallocDeathTest, AChangeOfLengthChecksThePointerItGets) {
  auto* p = static_cast<char*>(malloc(size_t{1} << 20));
  EXPECT_DEATH(p = static_cast<char*>(realloc(p + 4096, size_t{4} << 20)), "middle of an object");
  free(p);
}

}  // namespace
