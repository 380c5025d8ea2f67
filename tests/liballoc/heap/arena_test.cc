// arena_test.cc - arena hints and the map from any address to its span.
#include <gtest/gtest.h>

#include <memory>

#include "liballoc/heap/arena_hints.h"
#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/heap_arena.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {
namespace {

TEST(ArenaMapTest, AnswersForEveryAddressThereIs) {
  RelaxedCounter stat;
  ArenaMap map;
  EXPECT_EQ(map.arena_of(0x1234), nullptr) << "before init";
  ASSERT_TRUE(map.init(stat));
  for (const uintptr_t p : {uintptr_t{0}, uintptr_t{8}, uintptr_t{0xdeadbeef}, ~uintptr_t{0}, uintptr_t{1} << 47,
                            (uintptr_t{1} << 48) - 1, uintptr_t{0xdeadbeefdeadbeef}}) {
    EXPECT_EQ(map.arena_of(p), nullptr);
    EXPECT_EQ(map.class_of(p), 0u);
    EXPECT_EQ(map.find_in_use(p), nullptr);
  }
}

TEST(ArenaMapTest, IndexAndBaseAreInverse) {
  for (const uintptr_t p : {uintptr_t{0}, uintptr_t{0xc000000000}, uintptr_t{0x7fffffffffff}}) {
    const size_t i = arena_index(p);
    EXPECT_LT(i, kArenaEntries);
    EXPECT_LE(arena_base(i), p);
    EXPECT_LT(p - arena_base(i), kArenaBytes);
  }
}

#if defined(__x86_64__)
constexpr uintptr_t kFirstHint = uintptr_t{0x00c0} << 32;
#else
constexpr uintptr_t kFirstHint = uintptr_t{0x0040} << 32;
#endif

// Whether a sanitizer's shadow or heap lies at the hinted addresses: then no hint is served.
constexpr bool kHintsAreTaken = LIBALLOC_TEST_SANITIZED;

TEST(ArenaHintsTest, TheFirstHintIsServedContiguously) {
  if (kHintsAreTaken) GTEST_SKIP() << "a sanitizer is at the hinted addresses";
  RelaxedCounter stat;
  ArenaHints hints(stat);
  hints.init(4);
  auto* a = static_cast<char*>(hints.reserve(kArenaBytes));
  auto* b = static_cast<char*>(hints.reserve(2 * kArenaBytes));
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a), kFirstHint);
  EXPECT_EQ(b, a + kArenaBytes);
  EXPECT_EQ(hints.collisions(), 0u);
  sys_free(a, 3 * kArenaBytes, MemState::kReserved);
}

TEST(ArenaHintsTest, ARequestThatFitsNowhereCostsNoHint) {
  RelaxedCounter stat;
  ArenaHints hints(stat);
  hints.init(4);
  EXPECT_EQ(hints.reserve(size_t{1} << 47), nullptr);
  EXPECT_EQ(hints.reserve(size_t{1} << 62), nullptr);
  EXPECT_EQ(hints.size(), 4u);
}

TEST(ArenaHintsTest, ACollisionDropsTheHintAndTakesTheNext) {
  if (kHintsAreTaken) GTEST_SKIP() << "a sanitizer is at the hinted addresses";
  RelaxedCounter stat;
  ArenaHints hints(stat);
  hints.init(4);
  void* blocker = sys_reserve(reinterpret_cast<void*>(kFirstHint), kArenaBytes);
  ASSERT_EQ(reinterpret_cast<uintptr_t>(blocker), kFirstHint);
  void* p = hints.reserve(kArenaBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p), kFirstHint | (uintptr_t{1} << 40));
  EXPECT_EQ(hints.collisions(), 1u);
  EXPECT_EQ(hints.size(), 3u);
  sys_free(blocker, kArenaBytes, MemState::kReserved);
  sys_free(p, kArenaBytes, MemState::kReserved);
}

TEST(ArenaHintsTest, WithoutHintsAnyAlignedAddressServesAndLeavesTwoHints) {
  RelaxedCounter stat;
  ArenaHints hints(stat);
  hints.init(0);
  void* p = hints.reserve(kArenaBytes);
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % kArenaBytes, 0u);
  EXPECT_EQ(hints.size(), 2u);
  void* q = hints.reserve(kArenaBytes);
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(q) % kArenaBytes, 0u);
  sys_free(p, kArenaBytes, MemState::kReserved);
  sys_free(q, kArenaBytes, MemState::kReserved);
}

TEST(ArenaHintsTest, AddressesBeyond48BitsAreRefusedAndCounted) {
  static constexpr OsOps kHigh = {
      [](void*, size_t, void** out) -> long {
        *out = reinterpret_cast<void*>(uintptr_t{1} << 56);
        return 0;
      },
      [](void*, size_t) -> long { return 0; }, [](size_t, void**) -> long { return -12; },
      [](void*, size_t) -> long { return 0; }, [](void*, size_t) -> long { return 0; },
      [](void*, size_t) -> long { return 0; }, [](void*, size_t, bool) -> long { return 0; },
      [](void*, size_t) -> long { return 0; }, [](void*, size_t) -> long { return 0; }};
  RelaxedCounter stat;
  ArenaHints hints(stat);
  hints.init(0);
  set_os_ops_for_test(&kHigh);
  EXPECT_EQ(hints.reserve(kArenaBytes), nullptr);
  set_os_ops_for_test(nullptr);
  EXPECT_EQ(hints.out_of_range(), 1u);
}

}  // namespace
}  // namespace liballoc
