// spin_lock_test.cc - mutual exclusion, sleeping waiters, and the rank check of debug builds.
#include "liballoc/base/spin_lock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace liballoc {
namespace {

TEST(SpinLockTest, OneHolderAtATime) {
  SpinLock lock(LockRank::kMeta);
  uint64_t counter = 0;  // a lost update shows as a smaller sum
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50000; i++) {
        LockHolder hold(lock);
        counter++;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(counter, 200000u);
  EXPECT_FALSE(lock.held_by_someone());
}

TEST(SpinLockTest, AWaiterSleepsUntilTheHolderLetsGo) {
  SpinLock lock(LockRank::kMeta);
  bool done = false;
  lock.lock();
  std::thread waiter([&] {
    LockHolder hold(lock);
    done = true;
  });
  for (int i = 0; i < 1000; i++) std::this_thread::yield();  // past the spinning, most likely
  EXPECT_FALSE(done);
  lock.unlock();
  waiter.join();
  EXPECT_TRUE(done);
}

#if LIBALLOC_DEBUG
TEST(SpinLockDeathTest, ARankTakenBackwardsEndsTheProcess) {
  SpinLock low(LockRank::kPageHeap), high(LockRank::kMeta);
  EXPECT_DEATH(
      {
        LockHolder a(high);
        LockHolder b(low);
      },
      "lock rank .* taken while holding rank");
}
#endif

TEST(SpinLockTest, RanksInOrderAreFine) {
  SpinLock low(LockRank::kPageHeap), high(LockRank::kMeta);
  LockHolder a(low);
  LockHolder b(high);
  EXPECT_TRUE(high.held_by_someone());
}

}  // namespace
}  // namespace liballoc
