// allocator_test.cc - allocation and release through the whole library, and what its counters say at rest.
#include "liballoc/core/allocator.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "liballoc/base/syscall.h"

namespace liballoc {
namespace {

struct Live {
  uint64_t mallocs = 0, frees = 0;
};
// Of the calling thread, per size class.
Live live_of(unsigned size_class) {
  Live out;
  for (const bool noscan : {false, true}) {
    const liballoc_abi_class_counter& c = t_thread->block->classes[cache_class(size_class, noscan)];
    out.mallocs += counted_mallocs(c);
    out.frees += c.frees;
  }
  return out;
}

TEST(AllocatorTest, EverySizeIsUsableToItsEndAndAligned) {
  for (size_t bytes = 0; bytes < 70000; bytes += bytes < 2000 ? 1 : 97) {
    auto* p = static_cast<char*>(allocate(bytes));
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % (bytes >= 16 ? 16 : 8), 0u);
    const size_t usable = usable_size(p);
    ASSERT_GE(usable, bytes);
    memset(p, 0x5a, usable);
    release(p);
  }
}

// Passive false sharing: the object lies in a cache line with others of the thread that made it.
TEST(AllocatorTest, AThreadIsNotGivenTheNeighboursOfTheThreadWhoseObjectItFreed) {
  constexpr size_t kBytes = 8, kLine = kCacheLineBytes;
  std::vector<void*> all;
  for (int i = 0; i < 64; i++) all.push_back(allocate(kBytes));
  std::thread([&] {
    release(all[8]);
    void* mine = allocate(kBytes);
    const auto line_of = [](const void* p) { return reinterpret_cast<uintptr_t>(p) / kLine; };
    EXPECT_TRUE(std::none_of(all.begin(), all.end(), [&](void* other) { return line_of(other) == line_of(mine); }));
    release(mine);
  }).join();
  for (int i = 0; i < 64; i++) {
    if (i != 8) release(all[i]);
  }
}

TEST(AllocatorTest, ZeroBytesGiveUniquePointers) {
  void* a = allocate(0);
  void* b = allocate(0);
  EXPECT_NE(a, nullptr);
  EXPECT_NE(a, b);
  release(a);
  release(b);
}

TEST(AllocatorTest, AnyAlignmentUpToSixteenMegabytes) {
  for (size_t align = 1; align <= (size_t{16} << 20); align *= 2) {
    for (const size_t bytes : {size_t{1}, size_t{100}, size_t{5000}, size_t{40000}, size_t{1} << 20}) {
      auto* p = static_cast<char*>(allocate_general({bytes, align, false, false}));
      ASSERT_NE(p, nullptr);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u) << align << " " << bytes;
      memset(p, 1, usable_size(p));
      release(p);
    }
  }
}

TEST(AllocatorTest, ZeroedMemoryIsZeroWhateverWasThereBefore) {
  std::mt19937 random(2);
  std::vector<void*> live;
  for (int i = 0; i < 3000; i++) {
    const size_t bytes = random() % 20 == 0 ? random() % 300000 : random() % 3000;
    auto* p = static_cast<unsigned char*>(allocate_general({bytes, 8, false, true}));
    ASSERT_NE(p, nullptr);
    for (size_t b = 0; b < bytes; b++) ASSERT_EQ(p[b], 0) << bytes;
    memset(p, 0xee, usable_size(p));
    live.push_back(p);
    if (live.size() > 50) {
      std::swap(live[random() % live.size()], live.back());
      release(live.back());
      live.pop_back();
    }
  }
  for (void* p : live) release(p);
}

TEST(AllocatorTest, ZerosInMemoryThatWasNeverUsedAreNotWritten) {
  constexpr size_t kBytes = 32768, kPage = 4096;
  std::vector<void*> live;
  size_t resident = 0;
  for (int i = 0; i < 1000; i++) {
    void* p = allocate_general({kBytes, kPage, false, true});
    ASSERT_NE(p, nullptr);
    live.push_back(p);
    unsigned char in_memory[kBytes / kPage] = {};
    ASSERT_EQ(mincore(p, kBytes, in_memory), 0);
    for (const unsigned char page : in_memory) resident += page & 1;
  }
  EXPECT_LT(resident, live.size() * (kBytes / kPage) / 2) << "most of it is new";
  for (void* p : live) release(p);
}

TEST(AllocatorTest, AtRestMallocsMinusFreesIsTheNumberOfLiveObjectsOfEachClass) {
  release(allocate(1));  // a thread record exists
  std::map<unsigned, Live> before;
  for (unsigned c = 0; c < kSizeClasses; c++) before[c] = live_of(c);
  std::mt19937 random(9);
  std::map<unsigned, uint64_t> truth;
  std::vector<std::pair<void*, unsigned>> live;
  for (int i = 0; i < 100000; i++) {
    if (random() % 2 == 0 || live.empty()) {
      const size_t bytes = random() % 100 == 0 ? random() % 200000 : random() % 4000;
      const unsigned c = bytes <= kMaxSmallBytes ? size_to_class(bytes) : 0;
      live.emplace_back(allocate(bytes), c);
      truth[c]++;
    } else {
      std::swap(live[random() % live.size()], live.back());
      release(live.back().first);
      truth[live.back().second]--;
      live.pop_back();
    }
  }
  for (unsigned c = 0; c < kSizeClasses; c++) {
    const Live now = live_of(c);
    EXPECT_EQ((now.mallocs - before[c].mallocs) - (now.frees - before[c].frees), truth[c]) << "class " << c;
  }
  for (auto& [p, c] : live) release(p);
}

TEST(AllocatorTest, NoscanObjectsLieInSpansOfTheirOwn) {
  void* scan = allocate(64);
  void* noscan = allocate_slow({64, 8, true, false});
  EXPECT_FALSE(g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(scan))->noscan);
  EXPECT_TRUE(g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(noscan))->noscan);
  release(scan);
  release(noscan);
}

TEST(AllocatorTest, ImpossibleSizesGiveNull) {
  EXPECT_EQ(allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(allocate(SIZE_MAX - 8191), nullptr);
  EXPECT_EQ(allocate(size_t{1} << 50), nullptr);
  EXPECT_EQ(allocate_general({1, size_t{1} << 62, false, false}), nullptr);
}

TEST(AllocatorTest, AThreadThatEndsLeavesNothingCached) {
  std::vector<void*> from_thread;
  std::thread([&] {
    for (int i = 0; i < 1000; i++) from_thread.push_back(allocate(200));
    for (int i = 0; i < 1000; i++) release(allocate(3000));
  }).join();
  for (void* p : from_thread) {
    Span* s = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p));
    ASSERT_NE(s, nullptr);
    EXPECT_EQ(s->owner, nullptr);
    release(p);
  }
  g_heap.verify();
}

TEST(AllocatorTest, ManyShortThreadsDoNotGrowTheHeap) {
  const auto churn = [] {
    std::thread([] {
      void* a = allocate(100);
      void* b = allocate(50000);
      release(a);
      release(b);
    }).join();
  };
  for (int i = 0; i < 50; i++) churn();
  const uint64_t before = g_heap.pages().stats().heap_sys() + g_heap.sys().mcache.load() + g_heap.sys().mspan.load();
  for (int i = 0; i < 1000; i++) churn();
  const uint64_t after = g_heap.pages().stats().heap_sys() + g_heap.sys().mcache.load() + g_heap.sys().mspan.load();
  EXPECT_EQ(after, before);
}

#if !LIBALLOC_TSAN  // it follows no raw clone, and forks of threaded programs make it wait
TEST(AllocatorTest, TheChildOfAForkGoesOnWithItsHeap) {
  std::vector<std::pair<char*, char>> live;
  for (int i = 0; i < 2000; i++) {
    live.emplace_back(static_cast<char*>(allocate(static_cast<size_t>(i))), static_cast<char>(i));
    memset(live.back().first, live.back().second, static_cast<size_t>(i));
  }
  const pid_t child = fork();
  if (child == 0) {
    bool ok = true;
    for (int i = 0; i < 2000; i++) {
      for (int b = 0; b < i; b++) ok = ok && live[i].first[b] == live[i].second;
      release(live[i].first);
      ok = ok && allocate(static_cast<size_t>(i) * 3) != nullptr;
    }
    g_heap.verify();
    _exit(ok ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (auto& [p, c] : live) release(p);
}

TEST(AllocatorTest, TheChildOfARawForkGoesOnToo) {
  void* mine = allocate(100);
  const long child = sys::raw_syscall(SYS_clone, SIGCHLD);
  if (child == 0) {
    void* p = allocate(100);
    release(mine);
    release(p);
    g_heap.verify();
    sys::raw_syscall(SYS_exit_group, p != nullptr && p != mine ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(static_cast<pid_t>(child), &status, 0), child);
  EXPECT_EQ(status, 0);
  release(mine);
}
#endif

TEST(AllocatorDeathTest, MisuseEndsTheProcessAndSaysWhat) {
  EXPECT_DEATH(release(reinterpret_cast<void*>(uintptr_t{0x123456})), "free of a pointer that no malloc returned: 0x123456");
  EXPECT_DEATH(
      {
        auto* p = static_cast<char*>(allocate(100000));
        release(p + 16);
      },
      "into the middle of an object");
  EXPECT_DEATH(
      {
        void* p = allocate(2 << 20);
        release(p);
        release(p);
      },
      "free of memory that is not allocated");
  EXPECT_DEATH(
      {
        void* p = allocate(50000);
        release(p);
        release(p);
      },
      "double free");
}

}  // namespace
}  // namespace liballoc
