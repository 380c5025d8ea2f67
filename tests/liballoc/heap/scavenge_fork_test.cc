// scavenge_fork_test.cc - a fork while another thread returns memory: the lock is away then, and the span in no tree.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/liballoc/heap/page_heap_of_a_test.h"

namespace liballoc {
namespace {

#if !LIBALLOC_TSAN  // forks of threaded programs make it wait
TEST(ScavengeForkTest, TheChildHasEverySpanThatWasOnItsWayToTheOs) {
  TestHeap heap;
  ASSERT_TRUE(heap.ok);
  std::atomic<bool> done{false};
  std::atomic<int> returns{0};
  std::thread scavenger([&] {
    while (!done.load(std::memory_order_acquire)) {
      Span* span = heap.allocate(256);
      if (span == nullptr) return static_cast<void>(returns = -1);
      memset(reinterpret_cast<void*>(span->base), 1, span->bytes());  // else there is little to return
      heap.pages.free(span);
      returns += heap.pages.scavenge(SIZE_MAX, UINT64_MAX) != 0;
    }
  });
  while (returns == 0) std::this_thread::yield();
  constexpr int kRounds = LIBALLOC_TEST_SANITIZED ? 30 : 200;
  bool sound = true;
  for (int round = 0; sound && round < kRounds; round++) {
    heap.pages.lock_for_fork();
    const pid_t child = fork();
    if (child == 0) {
      heap.pages.unlock_after_fork(true);
      reset_lock_ranks_after_fork();
      heap.pages.verify();  // also that what is idle adds up
      _exit(0);
    }
    heap.pages.unlock_after_fork(false);
    int status = 0;
    sound = waitpid(child, &status, 0) == child && status == 0;
    EXPECT_TRUE(sound) << "fork " << round << ", status " << status;
  }
  done.store(true, std::memory_order_release);
  scavenger.join();
  EXPECT_GT(returns, 1) << "else nothing was tested";
  heap.pages.verify();
}
#endif

}  // namespace
}  // namespace liballoc
