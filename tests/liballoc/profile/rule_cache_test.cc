// rule_cache_test.cc - the cache gives back what was kept and nothing else: not a mixture, not the
// rule of an image that has been replaced, not what an unfinished write left behind.
#include "liballoc/profile/rule_cache.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "tests/liballoc/profile/both_walks.h"

namespace liballoc {
namespace {

class RuleCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    slots_ = static_cast<RuleCache::Slot*>(aligned_alloc(4096, RuleCache::kBytes));
    memset(static_cast<void*>(slots_), 0, RuleCache::kBytes);
    cache_.init(slots_);
    ASSERT_TRUE(find_unwind_module(reinterpret_cast<uintptr_t>(&walk_frames), &module_));
    base_ = derive_rule(module_, reinterpret_cast<uintptr_t>(&walk_frames) + 40);
    ASSERT_NE(base_.fde_bytes, 0u);
  }
  void TearDown() override { free(slots_); }

  // Of made-up contents, all of which follow from pc; the source is real.
  DerivedRule rule_of(uintptr_t pc) const {
    DerivedRule derived = base_;
    derived.rule.cfa = CfaRule::kSp;
    derived.rule.cfa_offset = static_cast<int32_t>(pc);
    derived.rule.fp_slot = static_cast<int16_t>(pc * 3);
    derived.rule.ra_slot = static_cast<int16_t>(pc * 5);
    return derived;
  }
  void expect_rule_of(uintptr_t pc, const FrameRule& got) const {
    const FrameRule want = rule_of(pc).rule;
    ASSERT_EQ(got.cfa_offset, want.cfa_offset);
    ASSERT_EQ(got.fp_slot, want.fp_slot);
    ASSERT_EQ(got.ra_slot, want.ra_slot);
    ASSERT_EQ(got.cfa, want.cfa);
  }

  RuleCache cache_;
  RuleCache::Slot* slots_ = nullptr;
  UnwindModule module_{};
  DerivedRule base_;
};

TEST_F(RuleCacheTest, GivesBackEveryField) {
  DerivedRule derived = base_;
  derived.rule = {-4096, -32768, 32767, CfaRule::kFpLoad, FpRule::kAtFp, true};
  cache_.keep(0x1234, module_, derived);
  FrameRule got;
  ASSERT_TRUE(cache_.find(0x1234, module_, &got));
  EXPECT_EQ(got.cfa_offset, -4096);
  EXPECT_EQ(got.fp_slot, -32768);
  EXPECT_EQ(got.ra_slot, 32767);
  EXPECT_EQ(got.cfa, CfaRule::kFpLoad);
  EXPECT_EQ(got.fp, FpRule::kAtFp);
  EXPECT_TRUE(got.ra_signed);
  EXPECT_FALSE(cache_.find(0x1235, module_, &got));
}

TEST_F(RuleCacheTest, HoldsNothingWithoutMemory) {
  RuleCache none;
  FrameRule got;
  none.keep(0x1234, module_, rule_of(0x1234));
  EXPECT_FALSE(none.find(0x1234, module_, &got));
}

TEST_F(RuleCacheTest, EvictionLosesRulesButNeverMixesThem) {
  constexpr uintptr_t kPcs = 4 * RuleCache::kSlots, kApart = 97;
  for (uintptr_t pc = kApart; pc <= kPcs * kApart; pc += kApart) cache_.keep(pc, module_, rule_of(pc));
  size_t found = 0;
  for (uintptr_t pc = kApart; pc <= kPcs * kApart; pc += kApart) {
    FrameRule got;
    if (!cache_.find(pc, module_, &got)) continue;
    found++;
    expect_rule_of(pc, got);
  }
  EXPECT_GT(found, RuleCache::kSlots / 2);
  EXPECT_LE(found, RuleCache::kSlots);
}

// What a small program pays for the table are the pages that its stacks' code has in it.
TEST_F(RuleCacheTest, ThePcsOfAPageOfCodeHaveOnePageOfTheTable) {
  constexpr uintptr_t kCode = 0x401000;
  for (uintptr_t pc = kCode; pc < kCode + 4096; pc += 37) cache_.keep(pc, module_, rule_of(pc));
  std::set<size_t> pages;
  for (size_t i = 0; i < RuleCache::kSlots; i++) {
    if (slots_[i].tag != 0) pages.insert(i * sizeof(RuleCache::Slot) / 4096);
  }
  EXPECT_EQ(pages.size(), 1u);
}

// As many as the stacks of a compiler pass through: 1569 in 654 pages of code.
TEST_F(RuleCacheTest, SomeThousandPcsInAsManyPagesHardlyEvictOneAnother) {
  std::mt19937_64 random(3);
  std::set<uintptr_t> pcs;
  while (pcs.size() < 1569) pcs.insert(0x400000 + random() % 654 * 4096 + random() % 4096);
  for (const uintptr_t pc : pcs) cache_.keep(pc, module_, rule_of(pc));
  const auto found = std::count_if(pcs.begin(), pcs.end(), [&](uintptr_t pc) {
    FrameRule got;
    return cache_.find(pc, module_, &got);
  });
  EXPECT_GT(found, 1569 * 85 / 100);  // 113 lost if sets were chosen by chance
}

TEST_F(RuleCacheTest, AnotherFingerprintIsAnotherImage) {
  cache_.keep(0x1234, module_, rule_of(0x1234));
  UnwindModule other = module_;
  other.fingerprint++;
  FrameRule got;
  EXPECT_FALSE(cache_.find(0x1234, other, &got));
  EXPECT_TRUE(cache_.find(0x1234, module_, &got));
}

TEST_F(RuleCacheTest, SlotThatWasBeingWrittenWhenTheProcessForkedIsLeftAlone) {
  cache_.keep(0x1234, module_, rule_of(0x1234));
  for (size_t i = 0; i < RuleCache::kSlots; i++)
    slots_[i].tag = uint64_t{1} << 48;  // odd: being written
  FrameRule got;
  EXPECT_FALSE(cache_.find(0x1234, module_, &got));
  cache_.keep(0x1234, module_, rule_of(0x1234));
  EXPECT_FALSE(cache_.find(0x1234, module_, &got));
  for (size_t i = 0; i < RuleCache::kSlots; i += RuleCache::kWays) slots_[i].tag = 0;
  cache_.keep(0x1234, module_, rule_of(0x1234));
  EXPECT_TRUE(cache_.find(0x1234, module_, &got));
}

TEST_F(RuleCacheTest, ThreadsThatFillItAtOnceNeverSeeHalfARule) {
  std::vector<std::thread> threads;
  std::atomic<unsigned> wrong{0};
  std::atomic<uint64_t> hits{0};
  for (unsigned t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      uint64_t random = t + 1;
      for (int i = 0; i < 60000; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        const uintptr_t pc = 1 + (random >> 40) % (3 * RuleCache::kSlots);
        FrameRule got;
        if (cache_.find(pc, module_, &got)) {
          const FrameRule want = rule_of(pc).rule;
          wrong += got.cfa_offset != want.cfa_offset || got.fp_slot != want.fp_slot ||
                   got.ra_slot != want.ra_slot;
          hits++;
        } else {
          cache_.keep(pc, module_, rule_of(pc));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0u);
  EXPECT_GT(hits.load(), 1000u);
}

struct Request {
  RuleCache* cache;
  BothWalks walks;
};
void leaf(void* argument) {
  auto* const request = static_cast<Request*>(argument);
  walk_both(*request->cache, &request->walks);
}

TEST_F(RuleCacheTest, ReplacedLibraryAtTheSameAddressIsNotWalkedByTheOldRules) {
  void* places[2] = {};
  const char* const paths[2] = {PLUGIN_A, PLUGIN_B};
  unsigned same_place = 0;
  for (unsigned round = 0; round < 6; round++) {
    void* const library = dlopen(paths[round % 2], RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    void* const function = dlsym(library, "plugin_call");
    ASSERT_NE(function, nullptr);
    same_place += function == places[(round + 1) % 2];
    places[round % 2] = function;
    Request request{&cache_, {}};
    for (int again = 0; again < 2; again++) {
      reinterpret_cast<void (*)(void (*)(void*), void*)>(function)(leaf, &request);
      EXPECT_TRUE(request.walks.simple);
      EXPECT_TRUE(request.walks.by_rules == request.walks.by_libgcc) << "round " << round;
      EXPECT_GE(request.walks.by_libgcc.depth, 4u);
    }
    dlclose(library);
  }
  if (same_place == 0) GTEST_SKIP() << "the loader never put the two at one address";
}

}  // namespace
}  // namespace liballoc
