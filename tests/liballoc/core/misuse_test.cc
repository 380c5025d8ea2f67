// misuse_test.cc - each kind of misuse ends the process, at the place that docs/heap.md names, with
// a report that says what, where and, for sampled objects, whose. Every case is a process of its
// own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "liballoc/base/lanes.h"
#include "liballoc/core/allocator.h"
#include "liballoc/core/freed_samples.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/thread.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

// What the calling thread holds, and what waits between threads, goes back to its spans.
void give_everything_back() {
  t_thread->in_slow = true;
  thread_give_all_back();
  t_thread->in_slow = false;
}

void use_check_mode() {
  const char* const environment[] = {"LIBALLOC_CHECK=1", "LIBALLOC_TELEMETRY=0", nullptr};
  runtime_start_telemetry({environment, nullptr, 0});
}

// Telemetry in a directory of the test's, with every object sampled.
void start_telemetry(const TempDir& directory) {
  const std::string dir = "LIBALLOC_SHM_DIR=" + directory.path();
  const char* const environment[] = {dir.c_str(), "LIBALLOC_SAMPLE_RATE=1", nullptr};
  runtime_start_telemetry({environment, nullptr, 0});
}

Span* span_of(void* p) { return g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p)); }

// So many others come in between that no free compares with the first.
void free_twice_with_others_in_between() {
  std::vector<void*> all;
  for (int i = 0; i < 12; i++) all.push_back(allocate(48));
  for (void* p : all) release(p);
  release(all[0]);
}

TEST(MisuseDeathTest, ASmallObjectsDoubleFreeIsFoundWhenItsSlotGoesBack) {
  EXPECT_DEATH(
      {
        free_twice_with_others_in_between();
        give_everything_back();
      },
      "double free: 0x[0-9a-f]+\n  48-byte object, slot [0-9]+ of 170 .*span of 1 page at 0x");
}

TEST(MisuseDeathTest, AnObjectFreedTwiceInARowIsFoundAtOnce) {
  EXPECT_EXIT(
      {
        void* p = allocate(48);
        release(p);
        release(p);
        _exit(0);
      },
      testing::KilledBySignal(SIGABRT), "double free");
}

TEST(MisuseDeathTest, AnObjectFreedAgainAfterOneOtherIsFoundAtOnce) {
  EXPECT_EXIT(
      {
        void* p = allocate(48);
        void* other = allocate(48);
        release(p);
        release(other);
        release(p);
        _exit(0);
      },
      testing::KilledBySignal(SIGABRT), "double free");
}

TEST(MisuseDeathTest, AnObjectFreedAgainAfterManyOthersIsFoundWhileItsThreadHoldsTheSlot) {
  EXPECT_DEATH(
      {
        free_twice_with_others_in_between();
        thread_report_double_free();
      },
      "double free");
}

TEST(MisuseDeathTest, ADoubleFreeByAThreadThatNeverAskedForTheClassIsFoundAtOnce) {
  EXPECT_EXIT(
      {
        void* p = allocate(48);
        std::thread([p] {
          release(p);
          release(p);
          _exit(0);
        }).join();
      },
      testing::KilledBySignal(SIGABRT), "double free");
}

TEST(MisuseDeathTest, ADoubleFreeAcrossThreadsIsFoundWhenTheSlotReachesItsSpan) {
  EXPECT_DEATH(
      {
        void* p = allocate(48);
        std::thread([p] { release(p); }).join();
        std::thread([p] { release(p); }).join();
        give_everything_back();
      },
      "double free");
}

TEST(MisuseDeathTest, CheckModeFindsADoubleFreeAtOnce) {
  EXPECT_EXIT(
      {
        use_check_mode();
        void* p = allocate(48);
        release(p);
        release(p);
        _exit(0);
      },
      testing::KilledBySignal(SIGABRT), "double free");
}

TEST(MisuseDeathTest, CheckModeServesAndTakesBackEverySizeOtherwise) {
  EXPECT_EXIT(
      {
        use_check_mode();
        for (int round = 0; round < 3; round++) {
          std::vector<void*> all;
          for (size_t n = 0; n < 40000; n += 97) all.push_back(allocate(n));
          for (void* p : all) release(p);
        }
        g_heap.verify();
        _exit(7);
      },
      testing::ExitedWithCode(7), "");
}

TEST(MisuseDeathTest, TheMiddleOfASmallObjectIsFoundWhenItsSlotGoesBack) {
  EXPECT_DEATH(
      {
        auto* p = static_cast<char*>(allocate(48));
        release(p + 8);
        give_everything_back();
      },
      "free of a pointer into the middle of an object: 0x[0-9a-f]+\n  48-byte object");
}

TEST(MisuseDeathTest, CheckModeFindsTheMiddleOfASmallObjectAtOnce) {
  EXPECT_EXIT(
      {
        use_check_mode();
        release(static_cast<char*>(allocate(48)) + 8);
        _exit(0);
      },
      testing::KilledBySignal(SIGABRT), "free of a pointer into the middle");
}

TEST(MisuseDeathTest, StackGlobalAndForeignPointersAreFoundAtOnce) {
  int on_stack = 0;
  static int global = 0;
  void* foreign = std::malloc(10);  // the test's own malloc is libc's
  // Volatile: what the compiler knows of these addresses it would warn of.
  for (void* volatile p : {static_cast<void*>(&on_stack), static_cast<void*>(&global), foreign,
                           reinterpret_cast<void*>(uintptr_t{1} << 63)}) {
    EXPECT_DEATH(release(p), "free of a pointer that no malloc returned");
  }
  std::free(foreign);
}

TEST(MisuseDeathTest, HeapMemoryThatIsNotInUseIsFoundAtOnce) {
  EXPECT_DEATH(release(static_cast<char*>(allocate(48)) + (size_t{16} << 20)),
               "free of memory that is not allocated");
}

TEST(MisuseDeathTest, ReallocAndUsableSizeRefuseTheMiddleOfASmallObject) {
  auto* p = static_cast<char*>(allocate(48));
  EXPECT_DEATH(static_cast<void>(usable_size(p + 16, "realloc")),
               "realloc of a pointer into the middle of an object");
  EXPECT_DEATH(static_cast<void>(usable_size(p + 16)),
               "malloc_usable_size of a pointer into the middle of an object");
  release(p);
}

TEST(MisuseDeathTest, ASizedFreeOfMoreThanTheObjectHoldsIsFoundInSlowPaths) {
  void* large = allocate(100000);
  EXPECT_DEATH(release_sized_slow(large, 300000, 1),
               "sized free of 300000 bytes for an object of 106496 bytes");
  void* p = allocate(48);
  EXPECT_DEATH(release_sized_slow(p, 49, 1), "sized free of 49 bytes for an object of 48 bytes");
  release_sized_slow(p, 40, 1);  // the object may have been shrunk in place
  release_sized_slow(large, 100000, 1);
}

TEST(MisuseDeathTest, CheckModeFindsASizedFreeOfTooLittle) {
  EXPECT_DEATH(
      {
        use_check_mode();
        release_sized_slow(allocate(48), 8, 1);
      },
      "sized free of 8 bytes for an object of 48 bytes");
}

TEST(MisuseDeathTest, ADeleteOfAnotherSizeClassIsFound) {
  void* p = allocate(48);
  check_sized_delete(p, 41, 1);
  EXPECT_DEATH(check_sized_delete(p, 32, 1), "sized free of 32 bytes for an object of 48 bytes");
  EXPECT_DEATH(check_sized_delete(p, 41, 64), "sized free of 41 bytes for an object of 48 bytes");
  release(p);
}

// What a stray store into the allocator's own memory may leave.
TEST(MisuseDeathTest, AnOverwrittenSpanRecordIsFoundByTheNextSlowPathThatReadsIt) {
  const auto damage = [](void (*strike)(Span*)) {
    std::vector<void*> all;
    for (int i = 0; i < 340; i++) all.push_back(allocate(48));
    void* const alive = all[200];
    for (void* p : all) {
      if (p != alive) release(p);
    }
    give_everything_back();  // but for what lives
    strike(span_of(alive));
    all.clear();
    for (int i = 0; i < 1000; i++) all.push_back(allocate(48));
    for (void* p : all) release(p);
    release(alive);
    give_everything_back();
  };
  EXPECT_DEATH(damage([](Span* s) { s->magic ^= 0x100; }), "corrupted metadata of the span at 0x");
  EXPECT_DEATH(damage([](Span* s) { s->objects = 7; }), "corrupted metadata of the span at 0x");
  EXPECT_DEATH(damage([](Span* s) { s->mark_bits[0] ^= 2; }),
               "corrupted metadata of the span at 0x.*bitmaps disagree");
  EXPECT_DEATH(damage([](Span* s) { s->alloc_count -= 1; }),
               "corrupted metadata of the span at 0x");
}

// ---- with a segment: stacks and the fault record
// ---------------------------------------------------------------------

LIBALLOC_NOINLINE void* make_sampled() { return allocate(100); }
LIBALLOC_NOINLINE void drop(void* p) { release(p); }

TEST(MisuseDeathTest, AFreedSampledObjectsReportHasThreeStacks) {
  const TempDir directory;
  EXPECT_DEATH(
      {
        start_telemetry(directory);
        std::vector<void*> all;
        for (int i = 0; i < 600; i++) all.push_back(make_sampled());
        void* p = all[0];
        drop(p);
        drop(p);
        for (void* q : all) drop(q);
      },
      "double free.*\n.*112-byte object.*\n  the last sampled object here was of 100 bytes at "
      "0x[0-9a-f]+\n"
      "  allocated by thread [0-9]+\n  allocated at:\n(    0x[0-9a-f]+ .*\\+0x[0-9a-f]+\n)+"
      "  freed by thread [0-9]+.*\n  freed at:\n(    0x.*\n)+  found by thread [0-9]+\n  found "
      "at:\n(    0x.*\n)+");
}

TEST(MisuseDeathTest, ALiveSampledObjectsReportSaysWhereItWasAllocated) {
  const TempDir directory;
  EXPECT_DEATH(
      {
        start_telemetry(directory);
        drop(static_cast<char*>(make_sampled()) + 8);
      },
      "into the middle of an object.*\n.*112-byte object.*\n  the object lives; 100 bytes were "
      "asked for\n"
      "  allocated by thread [0-9]+, [0-9]+ ms ago\n  allocated at:\n(    0x.*\n)+");
}

TEST(MisuseDeathTest, TheFaultRecordOutlivesTheProcess) {
  const TempDir directory;
  EXPECT_DEATH(
      {
        start_telemetry(directory);
        void* p = make_sampled();
        drop(p);
        drop(p);
        give_everything_back();
      },
      "double free");
  ASSERT_EQ(directory.files().size(), 1u);
  const FileView file(directory.path() + "/" + directory.files()[0]);
  EXPECT_EQ(file.header().exit_state, uint64_t{LIBALLOC_EXIT_FAULT});
  const auto faults = file.records<liballoc_abi_fault>(LIBALLOC_SECTION_FAULTS);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].code, uint64_t{LIBALLOC_FAULT_DOUBLE_FREE});
  EXPECT_EQ(faults[0].address, faults[0].object_base);
  EXPECT_NE(faults[0].alloc_stack, 0u);
  EXPECT_NE(faults[0].free_stack, 0u);
  EXPECT_NE(faults[0].fault_stack, 0u);
  EXPECT_THAT(std::string(faults[0].message), testing::StartsWith("liballoc: double free: 0x"));
}

// As the free of a sampled object does, with a stack made up.
void note_free(const liballoc_abi_sample& sample, uint32_t tid, uint64_t now_ns, uint32_t lane = 0) {
  const uintptr_t pcs[] = {1, 2, 3};
  keep_freed_sample(sample, tid, now_ns, pcs, freed_stack_is_due(now_ns) ? 3 : 0, lane);
}

TEST(FreedSamplesTest, TheLatestFreeOfAnAddressIsFoundAndOldOnesMakeRoom) {
  liballoc_abi_sample sample = {};
  sample.allocated_bytes = 64;
  for (uint64_t i = 0; i < kFreedSamples + 10; i++) {
    sample.address = 0x1000 + i * 64;
    sample.stack = static_cast<uint32_t>(i + 1);
    note_free(sample, 5, (i + 1) * kFreedStackIntervalNs);
  }
  FreedSample found;
  EXPECT_FALSE(find_freed_sample(0x1000, &found));  // ten were overwritten
  ASSERT_TRUE(find_freed_sample(0x1000 + 10 * 64 + 63, &found));
  EXPECT_EQ(found.alloc_stack, 11u);
  sample.address = 0x1000 + 20 * 64;
  sample.stack = 999;
  note_free(sample, 6, 10000 * kFreedStackIntervalNs);
  ASSERT_TRUE(find_freed_sample(sample.address, &found));
  EXPECT_EQ(found.alloc_stack, 999u);
  EXPECT_EQ(found.free_tid, 6u);
  EXPECT_GT(found.depth, 0u);
  forget_freed_samples();
  EXPECT_FALSE(find_freed_sample(sample.address, &found));
}

TEST(FreedSamplesTest, TheLatestFreeIsFoundWhicheverLaneItWasIn) {
  liballoc_abi_sample sample = {};
  sample.address = 0x5000;
  sample.allocated_bytes = 64;
  FreedSample found;
  for (const uint32_t lane : {3u, 0u, kLanes - 1, 1u}) {
    sample.stack++;
    note_free(sample, 5, sample.stack * kFreedStackIntervalNs, lane);
    ASSERT_TRUE(find_freed_sample(0x5000, &found));
    EXPECT_EQ(found.alloc_stack, sample.stack) << "lane " << lane;
  }
  sample.address = 0x6000;
  for (uint32_t i = 0; i < kFreedSamples; i++) note_free(sample, 5, 100 * kFreedStackIntervalNs, 0);
  EXPECT_TRUE(find_freed_sample(0x5000, &found)) << "each lane makes room for itself alone";
  forget_freed_samples();
  EXPECT_FALSE(find_freed_sample(0x6000, &found));
}

TEST(FreedSamplesTest, OfManyFreesAtOnceSomeHaveAStackAndTheOthersAreKeptWithout) {
  forget_freed_samples();
  liballoc_abi_sample sample = {};
  sample.allocated_bytes = 64;
  FreedSample found;
  uint64_t now = 5 * kFreedStackIntervalNs, walked = 0;
  for (uint64_t i = 0; i < 3 * kFreedStackBurst; i++) {
    sample.address = 0x1000 + i * 64;
    note_free(sample, 5, now);
    ASSERT_TRUE(find_freed_sample(sample.address, &found));
    EXPECT_EQ(found.freed_ns, now);
    walked += found.depth > 0;
  }
  EXPECT_EQ(walked, kFreedStackBurst);
  now += 10 * kFreedStackIntervalNs;
  for (uint64_t i = 0; i < 20; i++) {
    note_free(sample, 5, now);
    ASSERT_TRUE(find_freed_sample(sample.address, &found));
    walked += found.depth > 0;
  }
  EXPECT_EQ(walked, kFreedStackBurst + 10) << "one for each interval";
  forget_freed_samples();
}

}  // namespace
}  // namespace liballoc
