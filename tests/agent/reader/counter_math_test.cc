// counter_math_test.cc - the number of objects handed out is exact at every moment a reader can
// look.
#include "agent/reader/counter_math.h"

#include <gtest/gtest.h>

#include <random>

#include "agent/reader/wall_clock.h"

namespace liballoc::agent {
namespace {

// What a writer does: sets a countdown (granted = m + countdown, the low half into the word), then
// counts down.
struct Writer {
  uint64_t handed_out = 0;
  uint64_t granted = 0;
  uint32_t granted_low = 0;
  int32_t countdown = 0;
  void set_countdown(int32_t n) {
    granted = handed_out + static_cast<uint64_t>(int64_t{n});
    granted_low = static_cast<uint32_t>(granted);
    countdown = n;
  }
  void malloc_one() {
    --countdown;
    ++handed_out;
  }
};

TEST(CounterMathTest, ExactAtEveryMallocOfSmallCounts) {
  for (int32_t start = -40; start <= 40; ++start) {
    Writer writer;
    writer.handed_out = 100;
    writer.set_countdown(start);
    for (int step = 0; step < 90; ++step) {
      ASSERT_EQ(objects_handed_out(writer.granted, writer.granted_low, writer.countdown),
                writer.handed_out);
      writer.malloc_one();
    }
  }
}

TEST(CounterMathTest, ExactAcrossEveryWrapOfTheLowHalf) {
  for (const uint64_t base : {uint64_t{0}, uint64_t{1} << 31, uint64_t{1} << 32,
                              (uint64_t{1} << 33) + (uint64_t{1} << 31), uint64_t{7} << 40}) {
    for (int64_t near = -64; near <= 64; ++near) {
      for (const int32_t countdown : {0, 1, 2, 63, 64, 65, 1000, INT32_MAX / 2}) {
        Writer writer;
        writer.handed_out = base + 1000 + static_cast<uint64_t>(near);
        writer.set_countdown(countdown);
        ASSERT_EQ(objects_handed_out(writer.granted, writer.granted_low, writer.countdown),
                  writer.handed_out);
      }
    }
  }
}

// The reader may see `granted` from before or after the word was replaced: any setting up to 2^31
// objects away.
TEST(CounterMathTest, ExactWhenGrantedIsFromAnotherMoment) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200000; ++round) {
    Writer before;
    before.handed_out = random() >> (random() % 60);
    if (before.handed_out > (uint64_t{1} << 62)) before.handed_out >>= 2;
    before.set_countdown(static_cast<int32_t>(random() % (1u << 29)));
    Writer after = before;
    const uint32_t used = static_cast<uint32_t>(random() % (1u << 29));
    after.handed_out += used;
    after.set_countdown(static_cast<int32_t>(random() % (1u << 29)));
    ASSERT_EQ(objects_handed_out(before.granted, after.granted_low, after.countdown),
              after.handed_out);
    ASSERT_EQ(objects_handed_out(after.granted, before.granted_low, before.countdown),
              before.handed_out);
  }
}

TEST(CounterMathTest, ExtendNearestAgreesWithASearchOverAllCandidates) {
  const uint64_t kStep = uint64_t{1} << 32;
  std::mt19937_64 random(3);
  for (int round = 0; round < 100000; ++round) {
    const uint64_t reference = 2 * kStep + random() % (8 * kStep);
    const uint32_t low = static_cast<uint32_t>(random());
    uint64_t best = low;
    const auto distance = [&](uint64_t v) { return v > reference ? v - reference : reference - v; };
    for (uint64_t v = low; v < 12 * kStep; v += kStep) {
      if (distance(v) < distance(best)) best = v;
    }
    const uint64_t got = extend_nearest(reference, low);
    ASSERT_EQ(static_cast<uint32_t>(got), low);
    ASSERT_EQ(distance(got), distance(best));
  }
}

TEST(CounterMathTest, NothingWrapsForHostileValues) {
  EXPECT_EQ(objects_handed_out(0, 0, 5), 0u) << "fewer than none were handed out";
  EXPECT_EQ(objects_handed_out(0, 0, -5), 5u);
  EXPECT_EQ(objects_handed_out(UINT64_MAX, UINT32_MAX, -5), UINT64_MAX);
  EXPECT_EQ(saturating_add(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(saturating_add(2, 3), 5u);
  EXPECT_EQ(saturating_sub(2, 3), 0u);
  EXPECT_EQ(saturating_mul(UINT64_MAX, 2), UINT64_MAX);
  EXPECT_EQ(saturating_mul(6, 7), 42u);
  EXPECT_EQ(saturating_round(1e300), UINT64_MAX);
  EXPECT_EQ(saturating_round(-1.0), 0u);
  EXPECT_EQ(saturating_round(std::numeric_limits<double>::quiet_NaN()), 0u);
  EXPECT_EQ(saturating_round(2.5), 3u);
}

TEST(WallClockTest, ConvertsAroundTheMomentOfCreationAndClampsTheRest) {
  liballoc_abi_header header{};
  header.created_realtime_ns = 1000000;
  header.created_monotonic_ns = 500;
  const WallClock clock(header);
  EXPECT_EQ(clock.to_unix_ns(0), 0) << "unknown stays unknown";
  EXPECT_EQ(clock.to_unix_ns(500), 1000000);
  EXPECT_EQ(clock.to_unix_ns(700), 1000200);
  EXPECT_EQ(clock.to_unix_ns(400), 999900);
  EXPECT_EQ(clock.to_unix_ns(UINT64_MAX), INT64_MAX);
  header.created_monotonic_ns = UINT64_MAX;
  EXPECT_EQ(WallClock(header).to_unix_ns(1), 1);
}

}  // namespace
}  // namespace liballoc::agent
