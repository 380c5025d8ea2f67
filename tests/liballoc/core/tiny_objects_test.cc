// tiny_objects_test.cc - small objects without pointers share blocks: packing, freeing in every order and by any thread, counts.
#include "liballoc/core/tiny_objects.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/core/memory_figures.h"
#include "liballoc/core/slow_path.h"

namespace liballoc {
namespace {

constexpr unsigned kBlockClass = size_class_of(kTinyClass);

void* tiny(size_t bytes, size_t align = 1) { return allocate_slow({bytes, align, true, false}); }
uintptr_t block_of(const void* p) { return reinterpret_cast<uintptr_t>(p) & ~uintptr_t{15}; }

struct Counts {
  uint64_t blocks, objects, tiny_mallocs;
};
// Over all threads; blocks still count while a thread fills them, objects when they are freed one by one.
Counts counts() {
  MemoryFigures f;
  EXPECT_TRUE(collect_memory_figures(&f));
  return {f.classes[kBlockClass].live_objects(), f.tiny_mallocs - f.tiny_frees, f.tiny_mallocs};
}
Thread& self() {
  if (t_thread == nullptr) const SlowPath makes_the_record;
  return *t_thread;
}
Counts counts_without_rest() {
  let_tiny_go(self());
  return counts();
}

TEST(TinyObjectsTest, ObjectsShareABlockAndAreAlignedBySize) {
  let_tiny_go(self());
  void* a = tiny(5);
  void* b = tiny(1);
  void* c = tiny(2);
  void* d = tiny(8);
  EXPECT_EQ(block_of(a), block_of(b));
  EXPECT_EQ(block_of(a), block_of(c));
  EXPECT_EQ(block_of(a), block_of(d));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(d) % 8, 0u);
  for (void* p : {a, b, c, d}) release(p);
}

TEST(TinyObjectsTest, NoTwoObjectsOverlapAndEachHasExactlyItsSizeAndAlignment) {
  std::mt19937 random(7);
  std::vector<std::pair<unsigned char*, size_t>> live;
  unsigned char mark = 0;
  for (int i = 0; i < 200000; i++) {
    if (live.empty() || (random() % 5 < 3 && live.size() < 3000)) {
      const size_t n = random() % 17;
      auto* p = static_cast<unsigned char*>(tiny(n));
      ASSERT_NE(p, nullptr);
      const size_t usable = usable_size(p);
      ASSERT_EQ(usable, n == 0 ? 1 : n);
      ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % (n == 16 ? 16 : tiny_align(static_cast<uint32_t>(usable))), 0u);
      memset(p, ++mark, usable);
      live.emplace_back(p, usable);
    } else {
      std::swap(live[random() % live.size()], live.back());
      const auto [p, n] = live.back();
      for (size_t k = 1; k < n; k++) ASSERT_EQ(p[k], p[0]) << "somebody else wrote here";
      ASSERT_EQ(usable_size(p), n);
      release(p);
      live.pop_back();
    }
  }
  for (const auto& [p, n] : live) release(p);
}

TEST(TinyObjectsTest, ABlockIsUsedAgainWhenItsLastObjectIsFreedAndNotBefore) {
  const Counts before = counts_without_rest();
  std::vector<void*> first;
  for (int i = 0; i < 4; i++) first.push_back(tiny(4));
  const uintptr_t block = block_of(first[0]);
  ASSERT_EQ(block_of(first[3]), block);
  for (int i = 0; i < 3; i++) {
    release(first[static_cast<size_t>(i)]);
    void* other = tiny(8);
    EXPECT_NE(block_of(other), block) << "one object of it lives";
    release(other);
  }
  release(first[3]);
  void* again = tiny(8);
  EXPECT_EQ(block_of(again), block) << "last in, first out";
  release(again);
  const Counts after = counts_without_rest();
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.objects, before.objects);
}

TEST(TinyObjectsTest, EachObjectCountsOnceAndItsBlockOnce) {
  const Counts before = counts_without_rest();
  std::vector<void*> v;
  for (int i = 0; i < 1600; i++) v.push_back(tiny(1));
  Counts now = counts_without_rest();
  EXPECT_EQ(now.objects, before.objects + 1600);
  EXPECT_EQ(now.tiny_mallocs, before.tiny_mallocs + 1600);
  EXPECT_EQ(now.blocks, before.blocks + 100);
  void* whole = tiny(16);  // fills a block: nothing tiny about it
  void* aligned = tiny(3, 16);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(aligned) % 16, 0u);
  now = counts_without_rest();
  EXPECT_EQ(now.objects, before.objects + 1600);
  EXPECT_EQ(now.blocks, before.blocks + 102);
  release(whole);
  release(aligned);
  for (size_t i = 0; i < v.size(); i += 2) release(v[i]);
  now = counts_without_rest();
  EXPECT_EQ(now.objects, before.objects + 800);
  EXPECT_EQ(now.blocks, before.blocks + 100) << "each still holds eight";
  for (size_t i = 1; i < v.size(); i += 2) release(v[i]);
  now = counts_without_rest();
  EXPECT_EQ(now.objects, before.objects);
  EXPECT_EQ(now.blocks, before.blocks);
}

TEST(TinyObjectsTest, OneObjectAtATimeKeepsNoBlock) {
  const Counts before = counts_without_rest();
  for (int i = 0; i < 1000; i++) release(tiny(1 + static_cast<size_t>(i) % 15));
  const Counts after = counts();
  EXPECT_EQ(after.blocks, before.blocks) << "the rest of a block goes with its last object";
}

TEST(TinyObjectsTest, ThreadsFreeEachOthersObjectsAndExitAndNothingIsLost) {
  const Counts before = counts_without_rest();
  constexpr int kThreads = 4, kRounds = 30, kEach = 2000;
  std::vector<void*> shared(kThreads * kEach);
  for (int round = 0; round < kRounds; round++) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; t++) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; i++) {
          void*& p = shared[static_cast<size_t>(i * kThreads + t)];
          const size_t n = 1 + static_cast<size_t>(i) % 16;
          p = tiny(n);
          memset(p, t, n);
        }
      });
    }
    for (std::thread& t : threads) t.join();
    threads.clear();
    // Neighbours in a block are freed by different threads at the same time.
    for (int t = 0; t < kThreads; t++) {
      threads.emplace_back([&, t] {
        for (size_t i = static_cast<size_t>(t); i < shared.size(); i += kThreads) {
          release(shared[(i * 7919) % shared.size()]);
        }
      });
    }
    for (std::thread& t : threads) t.join();
  }
  const Counts after = counts_without_rest();
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.objects, before.objects);
  EXPECT_EQ(after.tiny_mallocs - before.tiny_mallocs, uint64_t{kThreads} * kRounds * (kEach - kEach / 16));
}

TEST(TinyObjectsTest, OwnersFillBlocksWhileOthersEmptyThem) {
  const Counts before = counts_without_rest();
  constexpr int kObjects = 20000;
  std::vector<std::atomic<void*>> mailbox(256);
  std::thread taker([&] {
    int taken = 0;
    for (size_t i = 0; taken < kObjects; i++) {
      if (void* p = mailbox[i % mailbox.size()].exchange(nullptr, std::memory_order_acquire)) {
        release(p);
        taken++;
      }
    }
  });
  for (int i = 0; i < kObjects;) {
    std::atomic<void*>& slot = mailbox[static_cast<size_t>(i) % mailbox.size()];
    if (slot.load(std::memory_order_relaxed) != nullptr) {
      std::this_thread::yield();
      continue;
    }
    void* p = tiny(1 + static_cast<size_t>(i) % 7);
    memset(p, 1, 1 + static_cast<size_t>(i) % 7);
    slot.store(p, std::memory_order_release);
    i++;
  }
  taker.join();
  const Counts after = counts_without_rest();
  EXPECT_EQ(after.blocks, before.blocks);
  EXPECT_EQ(after.objects, before.objects);
}

TEST(TinyObjectsTest, TheChildOfAForkGoesOnFillingAndFreesWhatItInherited) {
  void* a = tiny(3);
  void* b = tiny(3);
  const Counts parent = counts();
  const pid_t child = fork();
  if (child == 0) {
    const Counts now = counts();
    bool good = now.objects == parent.objects && now.blocks == parent.blocks;
    std::vector<void*> v;
    for (int i = 0; i < 1000; i++) v.push_back(tiny(3));
    for (void* p : v) good &= p != a && p != b && usable_size(p) == 3;
    for (void* p : v) release(p);
    release(a);
    release(b);
    good &= counts().objects == parent.objects - 2;
    _exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  release(a);
  release(b);
}

TEST(TinyObjectsTest, ZeroedRequestsAreZero) {
  for (int round = 0; round < 100; round++) {
    auto* p = static_cast<char*>(allocate_slow({9, 1, true, true}));
    for (int i = 0; i < 9; i++) ASSERT_EQ(p[i], 0);
    memset(p, 0xff, 9);
    release(p);
  }
}

TEST(TinyObjectsDeathTest, FreesOfWhatIsNoObjectAreReported) {
  void* a = tiny(8);
  void* b = tiny(4);  // keeps the block
  EXPECT_DEATH(release(static_cast<char*>(a) + 3), "into the middle of an object");
  EXPECT_DEATH(
      {
        release(a);
        release(a);
      },
      "double free");
  EXPECT_DEATH(release(static_cast<char*>(b) + 4), "double free: ") << "the rest, which no malloc returned";
  EXPECT_DEATH(
      {
        release(b);
        static_cast<void>(usable_size(b));
      },
      "double free");
  release(a);
  release(b);
  EXPECT_DEATH(release(a), "double free") << "also once the block is free";
}

}  // namespace
}  // namespace liballoc
