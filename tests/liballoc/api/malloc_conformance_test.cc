// malloc_conformance_test.cc - rules of C17, C23, POSIX.1-2024 and glibc for each function, in every argument position and at every
// boundary of the size classes. This process runs on liballoc.a.
#include <errno.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "liballoc/alloc.h"
#include "liballoc/heap/size_classes.h"

extern "C" {
void free_sized(void* p, size_t bytes);
void free_aligned_sized(void* p, size_t align, size_t bytes);
}

namespace {

using liballoc::kClasses;
using liballoc::kSizeClasses;

// The compiler must not see what is asked for.
size_t opaque(size_t n) {
  volatile size_t v = n;
  return v;
}

uintptr_t address(const void* p) { return reinterpret_cast<uintptr_t>(p); }

void fill(void* p, size_t bytes, unsigned seed) {
  auto* b = static_cast<unsigned char*>(p);
  for (size_t i = 0; i < bytes; i++) b[i] = static_cast<unsigned char>(i * 7 + seed);
}

bool holds(const void* p, size_t bytes, unsigned seed) {
  const auto* b = static_cast<const unsigned char*>(p);
  for (size_t i = 0; i < bytes; i++) {
    if (b[i] != static_cast<unsigned char>(i * 7 + seed)) return false;
  }
  return true;
}

// ---- sizes that cannot be had ------------------------------------------------------------------------------------------

const std::vector<size_t>& impossible_sizes() {
  static const std::vector<size_t> sizes = {
      SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 15, SIZE_MAX - 4095, SIZE_MAX - 8191, SIZE_MAX - 8192, SIZE_MAX / 2 + 1,
      size_t{PTRDIFF_MAX}, size_t{PTRDIFF_MAX} - 8191, SIZE_MAX / 4, size_t{1} << 50, size_t{1} << 48, size_t{1} << 47};
  return sizes;
}

void expect_enomem(const std::string& what, const std::function<void*()>& call) {
  errno = 0;
  void* p = call();
  EXPECT_EQ(p, nullptr) << what;
  EXPECT_EQ(errno, ENOMEM) << what;
  free(p);
}

TEST(ConformanceTest, EveryFunctionRefusesImpossibleSizesWithEnomem) {
  for (const size_t n : impossible_sizes()) {
    const std::string size = std::to_string(n);
    expect_enomem("malloc " + size, [n] { return malloc(n); });
    expect_enomem("calloc n*1 " + size, [n] { return calloc(n, opaque(1)); });
    expect_enomem("calloc 1*n " + size, [n] { return calloc(opaque(1), n); });
    expect_enomem("realloc null " + size, [n] { return realloc(nullptr, n); });
    expect_enomem("reallocarray null n*1 " + size, [n] { return reallocarray(nullptr, n, opaque(1)); });
    expect_enomem("reallocarray null 1*n " + size, [n] { return reallocarray(nullptr, opaque(1), n); });
    for (const size_t align : {size_t{1}, size_t{16}, size_t{64}, size_t{8192}, size_t{1} << 20}) {
      expect_enomem("aligned_alloc " + size, [n, align] { return aligned_alloc(align, n); });
      expect_enomem("memalign " + size, [n, align] { return memalign(align, n); });
    }
    expect_enomem("valloc " + size, [n] { return valloc(n); });
    expect_enomem("pvalloc " + size, [n] { return pvalloc(n); });
    expect_enomem("liballoc_malloc_noscan " + size, [n] { return liballoc_malloc_noscan(n); });
    void* out = &out;
    EXPECT_EQ(posix_memalign(&out, 64, n), ENOMEM) << size;
    EXPECT_EQ(out, &out) << "untouched";
  }
}

TEST(ConformanceTest, ProductsThatOverflowAreRefusedInBothPositions) {
  const size_t half = opaque(SIZE_MAX / 2 + 1);
  const size_t root = opaque(size_t{1} << 32);
  auto* kept = static_cast<char*>(malloc(100));
  fill(kept, 100, 3);
  for (const auto& [a, b] : {std::pair{half, size_t{2}}, {size_t{2}, half}, {root, root}, {SIZE_MAX, SIZE_MAX},
                             {SIZE_MAX / 3 + 1, size_t{3}}, {size_t{3}, SIZE_MAX / 3 + 1}, {root, root + 1}}) {
    expect_enomem("calloc", [a = a, b = b] { return calloc(a, b); });
    expect_enomem("reallocarray null", [a = a, b = b] { return reallocarray(nullptr, a, b); });
    errno = 0;
    EXPECT_EQ(reallocarray(kept, a, b), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_TRUE(holds(kept, 100, 3)) << "the object lives on";
  }
  free(kept);
}

TEST(ConformanceTest, ARefusedReallocKeepsTheObjectWhateverItsSize) {
  for (const size_t had : {size_t{0}, size_t{1}, size_t{1000}, size_t{32768}, size_t{32769}, size_t{1} << 20}) {
    void* p = malloc(had);
    fill(p, had, 5);
    for (const size_t n : impossible_sizes()) {
      errno = 0;
      ASSERT_EQ(realloc(p, n), nullptr) << had << " to " << n;
      ASSERT_EQ(errno, ENOMEM);
    }
    EXPECT_TRUE(holds(p, had, 5));
    free(p);
  }
}

// In a child with little address space: real exhaustion, and everything is served again once memory is back.
int exhaust_and_recover() {
  struct rlimit limit = {};
  getrlimit(RLIMIT_AS, &limit);
  unsigned long pages = 0;
  if (FILE* f = fopen("/proc/self/statm", "r")) {
    if (fscanf(f, "%lu", &pages) != 1) return 1;
    fclose(f);
  }
  limit.rlim_cur = pages * static_cast<size_t>(getpagesize()) + (size_t{192} << 20);
  if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
  void** list = nullptr;  // linked through the objects themselves
  size_t count = 0;
  for (void* p; errno = 0, (p = malloc(100000)) != nullptr; count++) {
    *static_cast<void**>(p) = list;
    list = static_cast<void**>(p);
  }
  if (errno != ENOMEM) return 3;
  if (count < 500) return 4;
  errno = 0;
  if (calloc(1, 100000) != nullptr || errno != ENOMEM) return 5;
  errno = 0;
  if (aligned_alloc(1 << 20, 100000) != nullptr || errno != ENOMEM) return 6;
  errno = 0;
  if (realloc(list, 3000000) != nullptr || errno != ENOMEM) return 7;
  void* out = nullptr;
  if (posix_memalign(&out, 4096, 3000000) != ENOMEM) return 8;
  while (list != nullptr) {
    auto* next = static_cast<void**>(*list);
    free(list);
    list = next;
  }
  void* p = malloc(50 << 20);
  if (p == nullptr) return 9;
  free(p);
  return 0;
}

TEST(ConformanceTest, RealExhaustionIsEnomemAndPasses) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(exhaust_and_recover());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the step of exhaust_and_recover() that failed";
}

// ---- errno on success --------------------------------------------------------------------------------------------------

TEST(ConformanceTest, SuccessLeavesErrnoAlone) {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{5000}, size_t{100000}, size_t{40} << 20}) {
    errno = 4711;
    void* p = malloc(n);
    p = realloc(p, n + 100000);
    p = realloc(p, n + 1);
    free(p);
    free(calloc(n, 1));
    free(aligned_alloc(4096, n));
    free(memalign(64, n));
    free(valloc(n));
    free(pvalloc(n));
    free(reallocarray(nullptr, n, 1));
    p = nullptr;
    EXPECT_EQ(posix_memalign(&p, 128, n), 0);
    free(p);
    malloc_trim(0);
    EXPECT_EQ(errno, 4711) << n << ": POSIX.1-2024 asks it of free, and nothing here has a reason to set it";
  }
}

// ---- zero sizes --------------------------------------------------------------------------------------------------------

TEST(ConformanceTest, ZeroSizesGiveUniquePointersThatCanBeFreed) {
  std::set<void*> seen;
  const auto take = [&seen](void* p) {
    EXPECT_NE(p, nullptr);
    EXPECT_TRUE(seen.insert(p).second) << "given twice";
  };
  for (int i = 0; i < 10; i++) {
    take(malloc(opaque(0)));
    take(calloc(opaque(0), 8));
    take(calloc(8, opaque(0)));
    take(calloc(opaque(0), opaque(SIZE_MAX)));
    take(realloc(nullptr, opaque(0)));
    take(reallocarray(nullptr, opaque(0), opaque(SIZE_MAX)));
    take(aligned_alloc(64, opaque(0)));
    take(memalign(1 << 16, opaque(0)));
    take(valloc(opaque(0)));
    take(pvalloc(opaque(0)));
    void* p = nullptr;
    EXPECT_EQ(posix_memalign(&p, 256, opaque(0)), 0);
    EXPECT_EQ(address(p) % 256, 0u);
    take(p);
  }
  for (void* p : seen) free(p);
}

TEST(ConformanceTest, ReallocToZeroFreesAsGlibcDoes) {
  for (const size_t n : {size_t{0}, size_t{10}, size_t{5000}, size_t{1} << 20}) {
    const struct mallinfo2 before = mallinfo2();
    errno = 9;
    EXPECT_EQ(realloc(malloc(n), opaque(0)), nullptr);
    EXPECT_EQ(reallocarray(malloc(n), opaque(0), 17), nullptr);
    EXPECT_EQ(reallocarray(malloc(n), 17, opaque(0)), nullptr);
    EXPECT_EQ(errno, 9);
    const struct mallinfo2 after = mallinfo2();
    EXPECT_EQ(before.uordblks, after.uordblks);
    EXPECT_EQ(before.hblkhd, after.hblkhd);
  }
}

TEST(ConformanceTest, FreeingNullDoesNothing) {
  free(nullptr);
  free_sized(nullptr, 10);
  free_aligned_sized(nullptr, 64, 10);
  EXPECT_EQ(malloc_usable_size(nullptr), 0u);
}

// ---- alignment ---------------------------------------------------------------------------------------------------------

TEST(ConformanceTest, EverySizeIsAlignedForAnyObjectOfThatSize) {
  for (size_t n = 0; n <= 33000; n++) {
    void* p = malloc(n);
    ASSERT_EQ(address(p) % (n >= alignof(max_align_t) ? alignof(max_align_t) : 8), 0u) << n;
    void* q = calloc(1, n);
    ASSERT_EQ(address(q) % (n >= alignof(max_align_t) ? alignof(max_align_t) : 8), 0u) << n;
    free(p);
    free(q);
  }
}

TEST(ConformanceTest, AlignmentsUpToSixtyFourMegabytesWithAnySize) {
  for (size_t align = 8; align <= (size_t{64} << 20); align *= 2) {
    for (const size_t n : {size_t{0}, size_t{1}, size_t{100}, align - 1, align, align + 1, size_t{40000}}) {
      void* p = aligned_alloc(align, n);
      ASSERT_NE(p, nullptr) << align << " " << n;
      ASSERT_EQ(address(p) % align, 0u);
      ASSERT_GE(malloc_usable_size(p), n);
      fill(p, n < 100000 ? n : 100000, 1);
      if (n >= 8) static_cast<char*>(p)[n - 1] = 1;
      free_aligned_sized(p, align, n);
    }
  }
  malloc_trim(0);
}

TEST(ConformanceTest, WhatIsNoAlignmentIsRefusedWithEinval) {
  for (const size_t align : {size_t{0}, size_t{3}, size_t{24}, size_t{4095}, SIZE_MAX, SIZE_MAX / 2}) {
    errno = 0;
    EXPECT_EQ(aligned_alloc(opaque(align), 100), nullptr) << align;
    EXPECT_EQ(errno, EINVAL);
    void* out = &out;
    EXPECT_EQ(posix_memalign(&out, opaque(align), 100), EINVAL) << align;
    EXPECT_EQ(out, &out);
  }
  void* out = nullptr;
  for (const size_t align : {size_t{1}, size_t{2}, size_t{4}}) {
    EXPECT_EQ(posix_memalign(&out, opaque(align), 100), EINVAL) << "no multiple of sizeof(void*): " << align;
    void* p = aligned_alloc(opaque(align), 100);
    EXPECT_NE(p, nullptr) << "aligned_alloc takes it";
    free(p);
  }
  errno = 0;
  EXPECT_EQ(memalign(opaque(SIZE_MAX / 2 + 2), 1), nullptr);
  EXPECT_EQ(errno, EINVAL) << "rounds up to what no size_t holds";
  for (const size_t align : {SIZE_MAX / 2 + 1, size_t{1} << 62, size_t{1} << 48}) {
    errno = 0;
    EXPECT_EQ(memalign(opaque(align), 1), nullptr);
    EXPECT_EQ(errno, ENOMEM) << "an alignment, but there is no memory for it: " << align;
  }
}

TEST(ConformanceTest, MemalignRoundsTheAlignmentUp) {
  for (size_t align = 0; align < 300; align++) {
    size_t rounded = 1;
    while (rounded < align) rounded *= 2;
    void* p = memalign(opaque(align), 40);
    ASSERT_EQ(address(p) % rounded, 0u) << align;
    free(p);
  }
}

TEST(ConformanceTest, PvallocRoundsUpToWholePages) {
  const auto page = static_cast<size_t>(getpagesize());
  for (const size_t n : {size_t{0}, size_t{1}, page - 1, page, page + 1, 10 * page + 7}) {
    void* p = pvalloc(opaque(n));
    const size_t whole = n == 0 ? page : (n + page - 1) / page * page;
    EXPECT_EQ(address(p) % page, 0u);
    ASSERT_GE(malloc_usable_size(p), whole);
    memset(p, 1, whole);
    free(p);
  }
}

// ---- usable size -------------------------------------------------------------------------------------------------------

TEST(ConformanceTest, UsableBytesOfNeighboursInEveryClassDoNotOverlap) {
  for (unsigned c = 1; c < kSizeClasses; c++) {
    std::array<void*, 5> p;
    for (size_t i = 0; i < p.size(); i++) {
      p[i] = malloc(kClasses[c].bytes - i);
      ASSERT_GE(malloc_usable_size(p[i]), kClasses[c].bytes - i);
      fill(p[i], malloc_usable_size(p[i]), static_cast<unsigned>(i));
    }
    for (size_t i = 0; i < p.size(); i++) {
      ASSERT_TRUE(holds(p[i], malloc_usable_size(p[i]), static_cast<unsigned>(i))) << kClasses[c].bytes;
    }
    for (void* q : p) free(q);
  }
  for (const size_t n : {size_t{32769}, size_t{40960}, size_t{40961}, size_t{1} << 20, (size_t{1} << 20) + 1}) {
    void* a = malloc(n);
    void* b = malloc(n);
    fill(a, malloc_usable_size(a), 1);
    fill(b, malloc_usable_size(b), 2);
    EXPECT_TRUE(holds(a, malloc_usable_size(a), 1));
    free(a);
    free(b);
  }
}

TEST(ConformanceTest, UsableBytesSurviveARealloc) {
  // POSIX and glibc promise contents up to the smaller size; programs that write to the usable end rely on what is in there.
  for (unsigned c = 1; c < kSizeClasses; c++) {
    void* p = malloc(kClasses[c].bytes - 1);
    const size_t usable = malloc_usable_size(p);
    fill(p, usable, 6);
    p = realloc(p, usable + 1);
    ASSERT_TRUE(holds(p, usable, 6)) << usable;
    free(p);
  }
}

}  // namespace
