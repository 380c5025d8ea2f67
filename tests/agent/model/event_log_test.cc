// event_log_test.cc - bounded, ordered, separate per process.
#include "agent/model/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

std::vector<Event> events(uint64_t from, uint64_t to) {
  std::vector<Event> out;
  for (uint64_t i = from; i < to; ++i) {
    Event event;
    event.sequence = i;
    out.push_back(event);
  }
  return out;
}

std::vector<uint64_t> numbers(const std::vector<Event>& in) {
  std::vector<uint64_t> out;
  for (const Event& event : in) out.push_back(event.sequence);
  return out;
}

TEST(EventLogTest, GivesEventsFromASequenceOnUpToALimit) {
  EventLog log(100);
  log.append("a", events(0, 5));
  log.append("a", events(5, 8));
  EXPECT_THAT(numbers(log.since("a", 3, 3)), testing::ElementsAre(3, 4, 5));
  EXPECT_THAT(numbers(log.since("a", 8, 10)), testing::IsEmpty());
  EXPECT_THAT(log.since("b", 0, 10), testing::IsEmpty());
}

TEST(EventLogTest, DropsTheOldestWhenFull) {
  EventLog log(4);
  log.append("a", events(0, 10));
  EXPECT_THAT(numbers(log.since("a", 0, 100)), testing::ElementsAre(6, 7, 8, 9));
}

TEST(EventLogTest, LeavesOutWhatDoesNotFollow) {
  EventLog log(10);
  log.append("a", events(5, 7));
  log.append("a", events(3, 8));
  EXPECT_THAT(numbers(log.since("a", 0, 100)), testing::ElementsAre(5, 6, 7));
}

TEST(EventLogTest, RenameMovesAndRemoveForgets) {
  EventLog log(10);
  log.append("a", events(0, 2));
  log.rename("a", "a#1");
  EXPECT_THAT(log.since("a", 0, 10), testing::IsEmpty());
  EXPECT_EQ(log.since("a#1", 0, 10).size(), 2u);
  log.remove("a#1");
  EXPECT_THAT(log.since("a#1", 0, 10), testing::IsEmpty());
}

TEST(EventLogTest, AReaderGetsEveryEventOnce) {
  EventLog log(100);
  log.append("a", events(10, 15));
  EventCursor cursor = log.oldest("a");
  EXPECT_EQ(cursor.next_sequence, 10u);
  EventBatch batch = log.read("a", cursor, 3);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(10, 11, 12));
  EXPECT_TRUE(batch.more);
  batch = log.read("a", cursor, 3);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(13, 14));
  EXPECT_FALSE(batch.more);
  EXPECT_TRUE(log.read("a", cursor, 3).events.empty());
  log.append("a", events(15, 16));
  batch = log.read("a", cursor, 3);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(15));
  EXPECT_EQ(batch.overrun + batch.dropped, 0u);
}

TEST(EventLogTest, NewestBeginsBehindWhatIsThere) {
  EventLog log(100);
  log.append("a", events(0, 5));
  EventCursor cursor = log.newest("a");
  EXPECT_TRUE(log.read("a", cursor, 9).events.empty());
  log.append("a", events(5, 6));
  EXPECT_THAT(numbers(log.read("a", cursor, 9).events), testing::ElementsAre(5));
}

TEST(EventLogTest, WhatMadeRoomAndWhatNeverCameAreCountedApart) {
  EventLog log(4);
  log.append("a", events(0, 2));
  EventCursor cursor = log.oldest("a");
  EXPECT_EQ(log.read("a", cursor, 9).events.size(), 2u);
  log.append("a", events(5, 11));  // 2, 3, 4 never came; 5 and 6 make room
  const EventBatch batch = log.read("a", cursor, 9);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(7, 8, 9, 10));
  EXPECT_EQ(batch.overrun, 3u);
  EXPECT_EQ(batch.dropped, 2u);
}

TEST(EventLogTest, ABatchEndsBeforeAGapSoThatTheNextCanTellIt) {
  EventLog log(100);
  log.append("a", events(0, 3));
  log.append("a", events(7, 9));
  EventCursor cursor = log.oldest("a");
  EventBatch batch = log.read("a", cursor, 100);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(0, 1, 2));
  EXPECT_TRUE(batch.more);
  batch = log.read("a", cursor, 100);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(7, 8));
  EXPECT_EQ(batch.overrun, 4u);
}

TEST(EventLogTest, AReaderThatCameFirstTakesTheLogWhenItComes) {
  EventLog log(2);
  EventCursor cursor = log.oldest("a");
  EXPECT_TRUE(log.read("a", cursor, 9).events.empty());
  log.append("a", events(0, 3));
  const EventBatch batch = log.read("a", cursor, 9);
  EXPECT_THAT(numbers(batch.events), testing::ElementsAre(1, 2));
  EXPECT_EQ(batch.dropped, 1u);
}

TEST(EventLogTest, AReaderLearnsThatTheNameHasAnotherLog) {
  EventLog log(10);
  log.append("a", events(0, 3));
  EventCursor cursor = log.oldest("a");
  log.rename("a", "a#1");
  log.append("a", events(0, 100));
  EXPECT_TRUE(log.read("a", cursor, 9).replaced);
  EXPECT_EQ(log.read("a#1", cursor, 9).events.size(), 3u);
  log.remove("a#1");
  EXPECT_TRUE(log.read("a#1", cursor, 9).replaced);
}

}  // namespace
}  // namespace liballoc::agent
