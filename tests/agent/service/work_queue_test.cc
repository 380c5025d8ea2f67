// work_queue_test.cc - WorkQueue: every accepted task runs once, in time, or early when told to.
#include "agent/service/work_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace liballoc::agent {
namespace {

using Clock = WorkQueue::Clock;

TEST(WorkQueueTest, RunsWhatIsSubmitted) {
  WorkQueue queue(2, 8);
  std::promise<void> ran;
  ASSERT_TRUE(queue.submit([&] { ran.set_value(); }));
  ran.get_future().wait();
}

TEST(WorkQueueTest, RefusesWhatIsBeyondItsBound) {
  WorkQueue queue(1, 2);
  std::promise<void> started, release;
  ASSERT_TRUE(queue.submit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  std::atomic<int> ran{0};
  EXPECT_TRUE(queue.submit([&] { ++ran; }));
  EXPECT_TRUE(queue.submit([&] { ++ran; }));
  EXPECT_FALSE(queue.submit([&] { ++ran; }));
  release.set_value();
  queue.stop();
  EXPECT_EQ(ran, 2);
}

TEST(WorkQueueTest, RunsTimersInTheOrderOfTheirTimesAndNotBefore) {
  WorkQueue queue(1, 8);
  const auto start = Clock::now();
  std::promise<void> done;
  std::string order;
  std::vector<Clock::duration> after;
  const auto note = [&](char name) {
    order += name;
    after.push_back(Clock::now() - start);
  };
  ASSERT_NE(queue.submit_at(start + std::chrono::milliseconds(60),
                            [&] {
                              note('b');
                              done.set_value();
                            }),
            0u);
  ASSERT_NE(queue.submit_at(start + std::chrono::milliseconds(20), [&] { note('a'); }), 0u);
  done.get_future().wait();
  queue.stop();
  EXPECT_EQ(order, "ab");
  EXPECT_GE(after[0], std::chrono::milliseconds(20));
  EXPECT_GE(after[1], std::chrono::milliseconds(60));
}

TEST(WorkQueueTest, ExpediteRunsATimerNowAndOnlyOnce) {
  WorkQueue queue(2, 8);
  std::atomic<int> runs{0};
  std::promise<void> ran;
  const auto id = queue.submit_at(Clock::now() + std::chrono::hours(1), [&] {
    if (++runs == 1) ran.set_value();
  });
  queue.expedite(id);
  queue.expedite(id);
  queue.expedite(12345);
  ran.get_future().wait();
  queue.stop();
  EXPECT_EQ(runs, 1);
}

TEST(WorkQueueTest, HurryRunsWaitingAndLaterTimersNow) {
  WorkQueue queue(1, 8);
  std::promise<void> first, second;
  ASSERT_NE(queue.submit_at(Clock::now() + std::chrono::hours(1), [&] { first.set_value(); }), 0u);
  queue.hurry();
  first.get_future().wait();
  ASSERT_NE(queue.submit_at(Clock::now() + std::chrono::hours(1), [&] { second.set_value(); }), 0u);
  second.get_future().wait();
}

TEST(WorkQueueTest, StopRunsAllThatWasAcceptedAndAcceptsNoMore) {
  std::atomic<int> ran{0};
  WorkQueue queue(2, 100);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.submit([&] { ++ran; }));
  for (int i = 0; i < 50; ++i) {
    ASSERT_NE(queue.submit_at(Clock::now() + std::chrono::hours(1), [&] { ++ran; }), 0u);
  }
  queue.stop();
  EXPECT_EQ(ran, 100);
  EXPECT_FALSE(queue.submit([&] { ++ran; }));
  EXPECT_EQ(queue.submit_at(Clock::now(), [&] { ++ran; }), 0u);
  queue.stop();
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace liballoc::agent
