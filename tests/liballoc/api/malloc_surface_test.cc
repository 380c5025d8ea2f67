// malloc_surface_test.cc - the C functions as the standards and glibc state them. This process runs on liballoc.a.
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "liballoc/alloc.h"

extern "C" {
void free_sized(void* p, size_t bytes);
void free_aligned_sized(void* p, size_t align, size_t bytes);
}

namespace {

volatile size_t g_huge = SIZE_MAX;  // the compiler does not see the size

TEST(MallocSurfaceTest, OurMallocServesThisProcess) {
  EXPECT_STREQ(liballoc_version(), LIBALLOC_VERSION);
  void* p = malloc(33);
  EXPECT_EQ(malloc_usable_size(p), 48u);  // a size class of ours, not of glibc's
  free(p);
}

TEST(MallocSurfaceTest, FailureSetsEnomemAndSuccessLeavesErrnoAlone) {
  errno = 0;
  EXPECT_EQ(malloc(g_huge), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(calloc(g_huge / 2, 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(reallocarray(nullptr, g_huge / 2, 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 77;
  void* p = malloc(1 << 20);
  free(p);
  EXPECT_EQ(errno, 77);
}

TEST(MallocSurfaceTest, FreeOfNullDoesNothing) { free(nullptr); }

TEST(MallocSurfaceTest, CallocIsZero) {
  for (int i = 0; i < 100; i++) {
    auto* p = static_cast<unsigned char*>(calloc(37, 11));
    for (int b = 0; b < 407; b++) ASSERT_EQ(p[b], 0);
    memset(p, 0xff, 407);
    free(p);
  }
}

TEST(MallocSurfaceTest, ReallocKeepsContentsAcrossEverySizeJump) {
  size_t bytes = 1;
  auto* p = static_cast<unsigned char*>(realloc(nullptr, bytes));
  p[0] = 1;
  for (const size_t next : {8, 9, 100, 50, 4000, 40000, 39999, 3000000, 70000, 16}) {
    p = static_cast<unsigned char*>(realloc(p, next));
    ASSERT_NE(p, nullptr);
    for (size_t b = 0; b < (bytes < next ? bytes : next); b++) ASSERT_EQ(p[b], static_cast<unsigned char>(b + 1));
    for (size_t b = 0; b < next; b++) p[b] = static_cast<unsigned char>(b + 1);
    bytes = next;
  }
  EXPECT_EQ(realloc(p, 0), nullptr) << "as glibc: freed";
}

TEST(MallocSurfaceTest, AFailedReallocKeepsTheObject) {
  auto* p = static_cast<char*>(malloc(10));
  strcpy(p, "kept");
  errno = 0;
  EXPECT_EQ(realloc(p, g_huge), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  EXPECT_STREQ(p, "kept");
  free(p);
}

TEST(MallocSurfaceTest, AlignedAllocationRefusesWhatIsNoAlignment) {
  errno = 0;
  EXPECT_EQ(aligned_alloc(24, 48), nullptr);
  EXPECT_EQ(errno, EINVAL);
  void* p = &p;
  void* const before = p;
  errno = 5;
  EXPECT_EQ(posix_memalign(&p, 24, 10), EINVAL);
  EXPECT_EQ(posix_memalign(&p, 4, 10), EINVAL);
  EXPECT_EQ(posix_memalign(&p, 0, 10), EINVAL);
  EXPECT_EQ(posix_memalign(&p, 16, g_huge - 100), ENOMEM);
  EXPECT_EQ(p, before) << "untouched on failure";
  EXPECT_EQ(errno, 5) << "posix_memalign reports by its result";
}

TEST(MallocSurfaceTest, AlignedFunctionsAlign) {
  for (size_t align = sizeof(void*); align <= (1 << 24); align *= 4) {
    void* p = nullptr;
    ASSERT_EQ(posix_memalign(&p, align, 100), 0);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    free_aligned_sized(p, align, 100);
    p = aligned_alloc(align, 3 * align);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    free(p);
  }
  void* p = memalign(24, 10);  // rounded up to 32
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 32, 0u);
  free(p);
  const auto page = static_cast<size_t>(getpagesize());
  p = valloc(10);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % page, 0u);
  free(p);
  p = pvalloc(page + 1);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % page, 0u);
  EXPECT_GE(malloc_usable_size(p), 2 * page);
  free(p);
}

TEST(MallocSurfaceTest, SizedFreesFree) {
  for (int i = 0; i < 1000; i++) free_sized(malloc(100), 100);
}

TEST(MallocSurfaceTest, UsableSizeMayBeWrittenToItsEnd) {
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
  for (size_t n = 1; n < 200000; n = n * 3 / 2 + 1) {
    void* p = malloc(n);
    ASSERT_GE(malloc_usable_size(p), n);
    memset(p, 1, malloc_usable_size(p));
    free(p);
  }
}

TEST(MallocSurfaceTest, IdleMemoryCanBeReturnedOnDemand) {
  void* p = malloc(32 << 20);
  memset(p, 1, 32 << 20);
  free(p);
  EXPECT_GE(liballoc_release_memory(SIZE_MAX), size_t{32} << 20);
}

TEST(MallocSurfaceTest, NoscanMemoryIsOrdinaryMemoryToTheProgram) {
  void* p = liballoc_malloc_noscan(1000);
  memset(p, 1, 1000);
  EXPECT_GE(malloc_usable_size(p), 1000u);
  free(p);
}

}  // namespace
