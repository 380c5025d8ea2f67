// span_test.cc - handing out, marking and sweeping slots, against a set.
#include "liballoc/heap/span.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace liballoc {
namespace {

class SpanTest : public testing::TestWithParam<unsigned> {
 protected:
  void SetUp() override {
    const unsigned cls = GetParam();
    words_ = static_cast<uint32_t>(std::bit_ceil((kClasses[cls].objects + 63) / 64));
    bits_.resize(2 * words_);
    span_.base = uintptr_t{1} << 30;
    span_.pages = kClasses[cls].pages;
    span_.init_small(cls, bits_.data(), words_);
    span_.state.store(SpanState::kInUse);
  }
  uint32_t words_ = 0;
  std::vector<uint64_t> bits_;
  Span span_;
};

TEST_P(SpanTest, HandsOutEverySlotOnceInAddressOrder) {
  uintptr_t last = 0;
  for (uint32_t i = 0; i < span_.objects; i++) {
    const auto p = reinterpret_cast<uintptr_t>(span_.next_free());
    ASSERT_TRUE(p > last && span_.is_slot_start(p));
    ASSERT_LE(p + span_.object_bytes, span_.end());
    last = p;
  }
  EXPECT_EQ(span_.next_free(), nullptr);
  EXPECT_EQ(span_.next_free(), nullptr) << "asking again changes nothing";
  span_.verify();
}

TEST_P(SpanTest, OnlySlotStartsAreSlotStarts) {
  for (uintptr_t p = span_.base; p < span_.end(); p++) {
    const uintptr_t offset = p - span_.base;
    const bool start = offset % span_.object_bytes == 0 && offset / span_.object_bytes < span_.objects;
    ASSERT_EQ(span_.is_slot_start(p), start);
  }
}

TEST_P(SpanTest, TheFastPathGivesUpAtWindowEndsAndNeverSkipsASlot) {
  std::set<void*> seen;
  for (uint32_t i = 0; i < span_.objects; i++) {
    void* p = span_.next_free_fast();
    if (p == nullptr) p = span_.next_free();
    ASSERT_NE(p, nullptr);
    ASSERT_TRUE(seen.insert(p).second);
  }
  EXPECT_EQ(span_.next_free_fast(), nullptr);
}

TEST_P(SpanTest, AgreesWithASetUnderRandomTakesMarksAndSweeps) {
  std::mt19937 random(GetParam());
  std::set<void*> free_slots, taken, marked;
  for (uint32_t i = 0; i < span_.objects; i++) free_slots.insert(reinterpret_cast<void*>(span_.slot_address(i)));
  for (int step = 0; step < 3000; step++) {
    switch (random() % 4) {
      case 0: {
        void* out[64];
        const uint32_t n = span_.take(out + 64, random() % 65);
        for (uint32_t i = 64 - n; i < 64; i++) {
          ASSERT_TRUE(i == 63 || out[i] > out[i + 1]) << "a stack that hands them out ascending";
          ASSERT_EQ(free_slots.erase(out[i]), 1u);
          taken.insert(out[i]);
        }
        break;
      }
      case 1:
      case 2:
        if (!taken.empty()) {
          auto it = taken.begin();
          std::advance(it, random() % taken.size());
          span_.set_mark(span_.slot_of(reinterpret_cast<uintptr_t>(*it)));
          marked.insert(*it);
          taken.erase(it);
        }
        break;
      case 3:
        ASSERT_EQ(span_.sweep(), marked.size());
        free_slots.merge(marked);
        marked.clear();
        break;
    }
    ASSERT_EQ(span_.alloc_count, taken.size() + marked.size());
    ASSERT_EQ(span_.has_free_slot(), taken.size() < span_.objects);
    span_.verify();
  }
}

// Rows of neighbours up and down, single slots, slots that are marked already or were never taken, pointers between slots and of
// other spans: what is marked, where it stops and why is what looking at one slot after the other gives.
TEST_P(SpanTest, MarkingARunAgreesWithMarkingSlotBySlot) {
  std::mt19937_64 random(GetParam());
  for (int round = 0; round < 4000; round++) {
    std::fill(bits_.begin(), bits_.end(), 0);
    span_.init_small(GetParam(), bits_.data(), words_);
    const uint32_t objects = span_.objects;
    const auto taken = static_cast<uint32_t>(random() % 3 == 0 ? random() % (objects + 1) : objects);
    for (uint32_t i = 0; i < taken; i++) ASSERT_NE(span_.next_free(), nullptr);
    std::vector<void*> run;
    while (run.size() < 200 && random() % 8 != 0) {
      const int64_t step = static_cast<int64_t>(random() % 3) - 1;
      auto slot = static_cast<int64_t>(random() % (taken != 0 ? taken : 1));
      for (uint64_t left = random() % 70; left != 0 && slot >= 0 && slot < objects; left--, slot += step) {
        run.push_back(reinterpret_cast<void*>(span_.slot_address(static_cast<uint32_t>(slot))));
        if (step == 0) break;
      }
      if (random() % 16 == 0) run.push_back(reinterpret_cast<void*>(span_.base + random() % (span_.bytes() + 64)));
    }
    std::set<uint32_t> marked;
    BadFree expected = BadFree::kNone;
    uint32_t stop = 0;
    for (; stop < run.size(); stop++) {
      const auto p = reinterpret_cast<uintptr_t>(run[stop]);
      if (p < span_.base || p >= span_.end()) break;
      const uintptr_t slot = (p - span_.base) / span_.object_bytes;
      if (!span_.is_slot_start(p)) expected = BadFree::kInterior;
      else if (slot >= taken || !marked.insert(static_cast<uint32_t>(slot)).second) expected = BadFree::kDoubleFree;
      if (expected != BadFree::kNone) break;
    }
    BadFree bad = BadFree::kNone;
    ASSERT_EQ(span_.mark_run(run.data(), static_cast<uint32_t>(run.size()), &bad), stop) << round;
    ASSERT_EQ(bad, expected) << round;
    ASSERT_EQ(span_.mark_count, marked.size());
    for (uint32_t i = 0; i < objects; i++) ASSERT_EQ(span_.test_mark(i), marked.contains(i)) << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Classes, SpanTest, testing::Values(1u, 2u, 4u, 5u, 24u, 40u, 49u, 65u, 66u));

}  // namespace
}  // namespace liballoc
