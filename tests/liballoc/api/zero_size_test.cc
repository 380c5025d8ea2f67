// zero_size_test.cc - the shared address for objects of no bytes: one for all, freed as often as one likes, never counted.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "liballoc/alloc.h"

extern "C" void free_sized(void* p, size_t bytes);

namespace {

TEST(ZeroSizeTest, AllRequestsOfNoBytesGetOneAddress) {
  void* const p = liballoc_malloc(0);
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 16, 0u);
  for (int i = 0; i < 100; i++) EXPECT_EQ(liballoc_malloc(0), p);
  void* elsewhere = nullptr;
  std::thread([&] { elsewhere = liballoc_malloc(0); }).join();
  EXPECT_EQ(elsewhere, p);
  EXPECT_EQ(malloc_usable_size(p), 0u);
}

TEST(ZeroSizeTest, FreeTakesItAnyNumberOfTimesFromAnyThread) {
  void* const p = liballoc_malloc(0);
  for (int i = 0; i < 1000; i++) free(p);
  free_sized(p, 0);
  std::thread([p] {
    for (int i = 0; i < 1000; i++) free(p);
  }).join();
  std::vector<void*> others;
  for (int i = 0; i < 1000; i++) others.push_back(malloc(static_cast<size_t>(i) % 20));
  EXPECT_EQ(std::set<void*>(others.begin(), others.end()).size(), others.size());
  for (void* q : others) {
    EXPECT_NE(q, p) << "nobody gets it from malloc";
    free(q);
  }
}

TEST(ZeroSizeTest, ReallocMakesAnObjectOfIt) {
  void* const p = liballoc_malloc(0);
  void* q = realloc(p, 100);
  ASSERT_NE(q, nullptr);
  EXPECT_NE(q, p);
  memset(q, 1, 100);
  free(q);
  EXPECT_EQ(realloc(p, 0), nullptr);
  EXPECT_EQ(liballoc_malloc(0), p);
}

TEST(ZeroSizeTest, NothingIsCounted) {
  struct mallinfo2 before = mallinfo2();
  for (int i = 0; i < 10000; i++) static_cast<void>(!liballoc_malloc(0));
  EXPECT_EQ(mallinfo2().uordblks, before.uordblks);
  for (int i = 0; i < 10000; i++) free(liballoc_malloc(0));
  EXPECT_EQ(mallinfo2().uordblks, before.uordblks);
}

TEST(ZeroSizeTest, OtherSizesAreAsFromMalloc) {
  for (size_t n = 1; n < 100000; n = n * 3 + 1) {
    void* p = liballoc_malloc(n);
    void* q = malloc(n);
    EXPECT_EQ(malloc_usable_size(p), malloc_usable_size(q));
    free(p);
    free(q);
  }
}

}  // namespace
