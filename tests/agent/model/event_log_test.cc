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

}  // namespace
}  // namespace liballoc::agent
