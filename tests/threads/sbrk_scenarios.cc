// sbrk_scenarios.cc - what LIBALLOC_SBRK=1 promises: no byte is handed out twice, and everything else is as always.
// Run with the variable set: see CMakeLists.txt.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

struct Range {
  char* begin;
  size_t bytes;
};

// Objects of every kind, each freed at once; what they were.
std::vector<Range> allocate_and_free(uint64_t seed, int count) {
  Sizes sizes(seed);
  std::vector<Range> ranges;
  for (int i = 0; i < count; i++) {
    const size_t n = sizes.next();
    void* p = nullptr;
    switch (i % 4) {
      case 0: p = malloc(n); break;
      case 1: p = calloc(1, n); break;
      case 2: {
        const size_t align = size_t{16} << (i / 4 % 10);
        CHECK(posix_memalign(&p, align, n) == 0);
        CHECK(reinterpret_cast<uintptr_t>(p) % align == 0);
        break;
      }
      default: p = realloc(nullptr, n); break;
    }
    CHECK(p != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(p) % 16 == 0);
    const size_t usable = malloc_usable_size(p);
    CHECK(usable >= n);
    auto* bytes = static_cast<char*>(p);
    for (size_t k = 0; k < usable; k++) CHECK(bytes[k] == 0);  // nobody was here before
    memset(p, 0x5a, usable);
    ranges.push_back({bytes, usable});
    free(p);
    for (size_t k = 0; k < usable; k += 64) CHECK(bytes[k] == 0x5a);  // and nobody comes after
  }
  return ranges;
}

void check_disjoint(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < ranges.size(); i++) CHECK(ranges[i - 1].begin + ranges[i - 1].bytes <= ranges[i].begin);
}

}  // namespace

void nothing_is_used_again() {
  const struct mallinfo2 before = mallinfo2();
  {
    std::vector<std::vector<Range>> of_threads(4);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < of_threads.size(); t++) {
      threads.emplace_back([&of_threads, t] { of_threads[t] = allocate_and_free(t + 1, 3000); });
    }
    for (std::thread& t : threads) t.join();
    std::vector<Range> all;
    for (const auto& ranges : of_threads) all.insert(all.end(), ranges.begin(), ranges.end());
    check_disjoint(all);
  }

  auto* grown = static_cast<char*>(malloc(10));
  memcpy(grown, "contents", 9);
  for (const size_t n : {100u, 5000u, 40000u, 1000000u}) {
    char* moved = static_cast<char*>(realloc(grown, n));
    CHECK(moved != nullptr && moved != grown);
    CHECK(strcmp(moved, "contents") == 0 && strcmp(grown, "contents") == 0);
    grown = moved;
  }
  free(grown);

  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    check_disjoint(allocate_and_free(9, 1000));
    exit(0);
  }
  CHECK(wait_for(child) == 0);

  const struct mallinfo2 after = mallinfo2();
  CHECK(after.uordblks - before.uordblks + (after.hblkhd - before.hblkhd) < 100000);  // counted as freed
  CHECK(after.hblks == before.hblks);

  // The second free of an object is told from the first at once.
  const pid_t twice = fork();
  CHECK(twice >= 0);
  if (twice == 0) {
    CHECK(freopen("/dev/null", "w", stderr) != nullptr);
    void* p = malloc(50);
    void* volatile again = p;
    free(p);
    free(again);
    _exit(0);
  }
  int status = 0;
  CHECK(waitpid(twice, &status, 0) == twice && WIFSIGNALED(status));
}

}  // namespace scenario
