// ring_reader_test.cc - every event is delivered once or counted as missed once.
#include "agent/reader/ring_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

class RingReaderTest : public testing::Test {
 protected:
  // One drain of what the builder holds now.
  bool drain(RingReader& reader) {
    bytes_ = b_.bytes();
    const MemorySource source(bytes_);
    const auto layout = read_layout(source);
    EXPECT_TRUE(layout);
    const auto done = reader.drain(source, *layout, events_);
    EXPECT_TRUE(done);
    EXPECT_EQ(events_.size() + reader.missed(), reader.position());
    return done && *done;
  }
  void push(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) b_.push_event(LIBALLOC_EVENT_SPAN_ALLOC, b_.ring_head * 3);
  }
  void expect_events_true_and_in_order() {
    uint64_t next = 0;
    for (const Event& event : events_) {
      ASSERT_GE(event.sequence, next);
      ASSERT_EQ(event.a, event.sequence * 3) << "an event of another round";
      next = event.sequence + 1;
    }
  }
  SegmentBuilder b_;
  std::vector<uint8_t> bytes_;
  std::vector<Event> events_;
};

TEST_F(RingReaderTest, AnEmptyRingGivesNothing) {
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.position(), 0u);
}

TEST_F(RingReaderTest, OverrunIsCountedExactlyForEveryAmount) {
  b_.ring_capacity = 8;
  for (uint64_t pushed = 0; pushed <= 40; ++pushed) {
    SegmentBuilder fresh;
    fresh.ring_capacity = 8;
    b_ = fresh;
    events_.clear();
    push(pushed);
    RingReader reader;
    EXPECT_TRUE(drain(reader));
    EXPECT_EQ(reader.position(), pushed);
    EXPECT_EQ(reader.missed(), pushed > 8 ? pushed - 8 : 0);
    expect_events_true_and_in_order();
  }
}

TEST_F(RingReaderTest, RandomBurstsAddUp) {
  std::mt19937 random(9);
  b_.ring_capacity = 32;
  RingReader reader;
  for (int round = 0; round < 500; ++round) {
    push(random() % 80);
    EXPECT_TRUE(drain(reader));
    ASSERT_EQ(reader.position(), b_.ring_head);
  }
  expect_events_true_and_in_order();
  EXPECT_GT(reader.missed(), 0u);
  EXPECT_EQ(reader.corrupt(), 0u);
}

TEST_F(RingReaderTest, ABoundedDrainGoesOnWhereItStopped) {
  b_.ring_capacity = 64;
  push(64);
  RingReader reader(10);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(drain(reader));
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(events_.size(), 64u);
  EXPECT_EQ(reader.missed(), 0u);
}

TEST_F(RingReaderTest, ASlotThatIsBeingOverwrittenIsMissedNotDelivered) {
  b_.ring_capacity = 8;
  push(8);
  b_.ring[0].sequence = 0;   // the writer is inside it
  b_.ring[1].sequence = 10;  // the writer has lapped us
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.missed(), 2u);
  EXPECT_EQ(reader.corrupt(), 0u);
  EXPECT_EQ(events_.front().sequence, 2u);
}

TEST_F(RingReaderTest, ASequenceThatCannotBeIsCorrupt) {
  b_.ring_capacity = 8;
  push(8);
  b_.ring[3].sequence = 12345;
  b_.ring[5].sequence = 2;  // of an event before it, which the count says was overwritten
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.missed(), 2u);
  EXPECT_EQ(reader.corrupt(), 2u);
}

TEST_F(RingReaderTest, ARingThatGrowsLosesNothingThatItHolds) {
  std::mt19937 random(4);
  b_.ring_capacity = 64;
  b_.ring_records = 4;
  RingReader reader;
  while (b_.ring_records < b_.ring_capacity) {
    for (uint64_t burst = random() % (b_.ring_records + 1); burst > 0; --burst) {
      push(1);
      if (b_.ring_round_is_over() && random() % 4 == 0 && b_.ring_records < b_.ring_capacity) {
        b_.grow_ring(b_.ring_records + 1 + random() % (b_.ring_capacity - b_.ring_records));
      }
    }
    EXPECT_TRUE(drain(reader));
    ASSERT_EQ(reader.position(), b_.ring_head);
    ASSERT_EQ(reader.missed(), 0u);
  }
  push(200);
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.missed(), 200u - b_.ring_capacity);
  expect_events_true_and_in_order();
}

TEST_F(RingReaderTest, OfARingThatHasJustGrownOnlyWhatItHoldsIsTaken) {
  b_.ring_capacity = 8;
  b_.ring_records = 2;
  push(6);
  b_.grow_ring(8);
  push(1);
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.missed(), 4u);
  EXPECT_EQ(events_.size(), 3u);
  expect_events_true_and_in_order();
}

TEST_F(RingReaderTest, ARoundOfMoreRecordsThanThereAreIsRefused) {
  b_.ring_capacity = 8;
  b_.ring_records = 8;
  push(3);
  for (const uint32_t records : {9u, 65535u, 0u}) {
    b_.ring_records = records;
    b_.ring_start = 1;
    bytes_ = b_.bytes();
    const MemorySource source(bytes_);
    RingReader reader;
    const auto done = reader.drain(source, *read_layout(source), events_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().reason, Reject::kBadCount);
    EXPECT_TRUE(events_.empty());
  }
}

TEST_F(RingReaderTest, ARoundThatBeganBehindTheHeadIsBoundedWork) {
  b_.ring_capacity = 8;
  b_.ring_records = 8;
  push(8);
  b_.ring_start = uint64_t{1} << 40;
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.missed(), 8u);
}

TEST_F(RingReaderTest, AHeadThatRunsBackwardsIsCorruptAndDeliversNothingTwice) {
  b_.ring_capacity = 8;
  push(8);
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  b_.ring_head = 3;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.corrupt(), 1u);
  EXPECT_EQ(reader.position(), 8u);
  EXPECT_EQ(events_.size(), 8u);
}

TEST_F(RingReaderTest, AHugeHeadIsBoundedWork) {
  b_.ring_capacity = 8;
  push(8);
  b_.ring_head = UINT64_MAX;
  RingReader reader;
  EXPECT_TRUE(drain(reader));
  EXPECT_EQ(reader.position(), UINT64_MAX);
  EXPECT_EQ(reader.missed(), UINT64_MAX);
}

}  // namespace
}  // namespace liballoc::agent
