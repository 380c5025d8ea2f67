// repeated_slot_test.cc - the search for a slot that is twice among free ones, against a set.
#include "liballoc/heap/repeated_slot.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace liballoc {
namespace {

constexpr size_t kRun = 256;  // slots are compared within runs of so many

// By the definition: the first that was there before in its run.
uint32_t first_repeated_of_model(const std::vector<void*>& slots) {
  std::set<void*> seen;
  for (size_t i = 0; i < slots.size(); i++) {
    if (i % kRun == 0) seen.clear();
    if (!seen.insert(slots[i]).second) return static_cast<uint32_t>(i);
  }
  return static_cast<uint32_t>(slots.size());
}

void* slot_at(uint64_t base, uint64_t index, uint64_t bytes) { return reinterpret_cast<void*>(base + index * bytes); }

TEST(RepeatedSlotTest, NoSlotsAndOneSlotRepeatNothing) {
  void* one = slot_at(0xc000000000, 0, 16);
  EXPECT_EQ(first_repeated(nullptr, 0), 0u);
  EXPECT_EQ(first_repeated(&one, 1), 1u);
}

TEST(RepeatedSlotTest, NeighboursOfEverySizeAreDifferent) {
  for (uint64_t bytes = 8; bytes <= 32768; bytes += 8) {
    std::vector<void*> slots;
    for (uint64_t i = 0; i < 600; i++) slots.push_back(slot_at(0xc000000000, i, bytes));
    ASSERT_EQ(first_repeated(slots.data(), 600), 600u) << bytes;
  }
}

TEST(RepeatedSlotTest, OneSlotAgainAndAgainIsFoundAtOnce) {
  const std::vector<void*> slots(kRun, slot_at(0xc000000000, 3, 48));
  EXPECT_EQ(first_repeated(slots.data(), kRun), 1u);
}

TEST(RepeatedSlotTest, ARepeatedSlotIsFoundWhereverBothLieInARun) {
  std::vector<void*> slots;
  for (uint64_t i = 0; i < kRun; i++) slots.push_back(slot_at(0xc000000000, i * 7 % kRun, 32));
  for (size_t first = 0; first < kRun; first += 5) {
    for (size_t second = first + 1; second < kRun; second += 3) {
      void* const was = slots[second];
      slots[second] = slots[first];
      ASSERT_EQ(first_repeated(slots.data(), kRun), second) << first;
      slots[second] = was;
    }
  }
}

TEST(RepeatedSlotTest, AgreesWithAModelOnStretchesThatRiseAndFall) {
  std::mt19937_64 random(12);
  for (int round = 0; round < 20000; round++) {
    const size_t n = random() % 700;
    std::vector<void*> slots;
    while (slots.size() < n) {
      const uint64_t first = 1000 + random() % 3000, step = 1 + random() % 3;
      const bool rises = random() % 2 == 0;
      for (uint64_t i = random() % 300; i > 0 && slots.size() < n; i--) {
        slots.push_back(slot_at(0xc000000000, rises ? first + step * i : first - step * i, 16));
      }
    }
    if (n > 1 && random() % 2 == 0) slots[random() % n] = slots[random() % n];
    ASSERT_EQ(first_repeated(slots.data(), static_cast<uint32_t>(n)), first_repeated_of_model(slots)) << round;
  }
}

TEST(RepeatedSlotTest, AgreesWithAModelOnRandomSlots) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20000; round++) {
    const size_t n = random() % 700;
    const uint64_t bytes = 8 * (1 + random() % 64), range = 1 + random() % 200000;
    std::vector<void*> slots;
    for (size_t i = 0; i < n; i++) slots.push_back(slot_at(0xc000000000 + (random() % 2 << 26), random() % range, bytes));
    ASSERT_EQ(first_repeated(slots.data(), static_cast<uint32_t>(n)), first_repeated_of_model(slots)) << round;
  }
}

}  // namespace
}  // namespace liballoc
