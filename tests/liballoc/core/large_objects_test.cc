// large_objects_test.cc - what a change of length of a large object does to counts, samples and other threads' view.
#include "liballoc/core/large_objects.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/core/memory_figures.h"
#include "liballoc/core/sampling.h"
#include "liballoc/heap/specials.h"

namespace liballoc {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

MemoryFigures figures() {
  MemoryFigures f;
  EXPECT_TRUE(collect_memory_figures(&f));
  return f;
}

TEST(LargeObjectsTest, AChangeOfLengthIsOneFreeAndOneMallocAndExactInBytes) {
  void* p = allocate(8 * kMiB);
  MemoryFigures before = figures();
  for (const size_t bytes : {kMiB, 3 * kMiB, 100 * kPageBytes, 8 * kMiB}) {
    ASSERT_TRUE(resize_large(p, bytes));
    const MemoryFigures after = figures();
    EXPECT_EQ(after.large_live_bytes(), before.large_live_bytes() - 8 * kMiB + bytes);
    EXPECT_EQ(after.classes[0].live_objects(), before.classes[0].live_objects());
    EXPECT_GT(after.classes[0].mallocs, before.classes[0].mallocs);
    EXPECT_EQ(after.classes[0].mallocs - before.classes[0].mallocs, after.classes[0].frees - before.classes[0].frees);
    EXPECT_EQ(usable_size(p), bytes);
    EXPECT_EQ(after.pages.in_use, after.large_live_bytes() + after.small_live_bytes() + after.free_in_use());
  }
  release(p);
  const MemoryFigures end = figures();
  EXPECT_EQ(end.large_live_bytes(), before.large_live_bytes() - 8 * kMiB);
  g_heap.verify();
}

TEST(LargeObjectsTest, WhatCannotBeDoneInPlaceChangesNothing) {
  void* p = allocate(kMiB);
  void* behind = allocate(kMiB);
  const MemoryFigures before = figures();
  EXPECT_FALSE(resize_large(p, SIZE_MAX));
  EXPECT_FALSE(resize_large(p, SIZE_MAX / 2));
  EXPECT_FALSE(resize_large(p, size_t{1} << 46));
  void* small = allocate(100);
  EXPECT_FALSE(resize_large(small, 40000)) << "no large object";
  int on_stack = 0;
  EXPECT_FALSE(resize_large(&on_stack, 40000)) << "none of ours";
  EXPECT_EQ(figures().classes[0].mallocs, before.classes[0].mallocs);
  EXPECT_EQ(usable_size(p), kMiB);
  release(small);
  release(p);
  release(behind);
}

TEST(LargeObjectsTest, ASampleFollowsItsObjectsLength) {
  char dir[] = "/tmp/liballoc_large_XXXXXX";
  ASSERT_NE(mkdtemp(dir), nullptr);
  const std::string shm = std::string("LIBALLOC_SHM_DIR=") + dir;
  const std::array<const char*, 3> environment = {shm.c_str(), "LIBALLOC_SAMPLE_RATE=1", nullptr};
  runtime_start_telemetry({environment.data(), nullptr, 0});
  ASSERT_TRUE(g_segment.active());
  void* p = allocate(4 * kMiB);
  Span* span = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p));
  ASSERT_TRUE(has_specials(span));
  ASSERT_TRUE(resize_large(p, kMiB + 5));
  ASSERT_TRUE(has_specials(span)) << "at a rate of 1 every object is sampled";
  ASSERT_TRUE(span->specials->next == nullptr) << "the old sample has ended";
  const uint32_t record = remove_special(g_heap.map(), span, 0);
  liballoc_abi_sample sample = {};
  ASSERT_TRUE(g_segment.remove_sample(record, 1, 2, &sample));
  EXPECT_EQ(sample.address, reinterpret_cast<uintptr_t>(p));
  EXPECT_EQ(sample.requested_bytes, kMiB + 5);
  EXPECT_EQ(sample.allocated_bytes, span->bytes());
  release(p);
  set_sample_period(0);
  runtime_exit();
  EXPECT_EQ(rmdir(dir), 0) << "a clean exit removes the segment";
}

TEST(LargeObjectsTest, ThreadsMayResizeTheirObjectsSideBySide) {
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (unsigned t = 0; t < 4; t++) {
    threads.emplace_back([t, &good] {
      bool ok = true;
      auto* p = static_cast<unsigned char*>(allocate(kMiB));
      size_t bytes = kMiB;
      memset(p, static_cast<int>(t), bytes);
      uint32_t random = t * 77 + 1;
      for (int i = 0; i < 400; i++) {
        random = random * 1664525 + 1013904223;
        const size_t want = 40000 + (random >> 8) % (2 * kMiB);
        if (resize_large(p, want)) {
          const size_t kept = want < bytes ? want : bytes;
          ok = ok && p[0] == t && p[kept - 1] == t && p[kept / 2] == t;
          bytes = want;
        } else {
          auto* moved = static_cast<unsigned char*>(allocate(want));
          release(p);
          p = moved;
          bytes = want;
        }
        memset(p, static_cast<int>(t), bytes);
      }
      for (size_t i = 0; i < bytes; i += 997) ok = ok && p[i] == t;
      release(p);
      good[t] = ok;
    });
  }
  for (std::thread& t : threads) t.join();
  for (const bool ok : good) EXPECT_TRUE(ok) << "contents were overwritten by another thread";
  g_heap.verify();
}

TEST(MemoryFiguresTest, MayBeTakenAndMemoryTrimmedWhileThreadsComeAllocateAndGo) {
  std::atomic<int> running{3};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 3; t++) {
    threads.emplace_back([t, &running] {
      uint32_t random = t + 1;
      for (int round = 0; round < 30; round++) {
        std::thread([&random] {
          std::array<void*, 64> own{};
          for (int i = 0; i < 300; i++) {
            random = random * 1664525 + 1013904223;
            void*& slot = own[(random >> 8) % own.size()];
            release(slot);
            slot = allocate((random >> 16) % 17 == 0 ? 40000 + (random >> 12) % 300000 : (random >> 16) % 3000);
          }
          for (void* p : own) release(p);
        }).join();
      }
      running--;
    });
  }
  do {
    const MemoryFigures f = figures();
    ASSERT_LT(f.small_live_bytes(), size_t{1} << 40) << "no sum went below zero";
    ASSERT_LT(f.large_live_bytes(), size_t{1} << 40);
    ASSERT_GE(f.pages.idle, f.pages.released);
    trim_memory(kMiB);
  } while (running.load() != 0);
  for (std::thread& t : threads) t.join();
  g_heap.verify();
}

TEST(MemoryFiguresTest, TrimmingGivesBackWhatTheThreadKeeps) {
  std::vector<void*> objects;
  for (int i = 0; i < 200; i++) objects.push_back(allocate(60000));
  for (void* p : objects) release(p);  // some of them stay as page runs of this thread
  EXPECT_GT(thread_cache_bytes(t_thread->heap), 0u);
  trim_memory(0);
  EXPECT_EQ(thread_cache_bytes(t_thread->heap), 0u);
  const MemoryFigures f = figures();
  EXPECT_EQ(f.pages.idle, f.pages.released);
  uint64_t spans = 0, bytes = 0;
  for (const MemoryFigures::Idle& idle : f.idle) {
    spans += idle.spans;
    bytes += idle.bytes;
  }
  EXPECT_EQ(spans, f.pages.spans_idle);
  EXPECT_EQ(bytes, f.pages.idle);
}

}  // namespace
}  // namespace liballoc
