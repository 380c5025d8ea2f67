// interrupted_thread_test.cc - a signal handler that allocates, or ends the process, at every instruction at which the thread may hold
// locks of the library: while it gets its record and gives it up, in calls after that, while memory is returned, while an object is
// sampled. A handler that waits for a lock of its own thread waits for ever: where a test here hangs, that is what failed.
#include <gtest/gtest.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>

#include "liballoc/alloc.h"
#include "liballoc/core/counters.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/size_classes.h"
#include "liballoc/heap/thread_region.h"
#include "tests/liballoc/api/trap_flag.h"

#if defined(__x86_64__)

namespace liballoc::interrupted_thread {
namespace {

constexpr int kExitStatus = 7;

int g_stop_at, g_steps;
bool g_ran;
bool g_unsaid_only;  // steps at which the thread's record says that it is inside a slow path are not counted
pid_t g_not_in;  // steps of that process are not counted
void (*g_handler)();

void on_trap(int, siginfo_t*, void* context) {
  if (g_unsaid_only && t_thread != nullptr && t_thread->in_slow) return;
  if (getpid() == g_not_in) return;
  if (g_steps++ != g_stop_at) return;
  g_ran = true;
  g_handler();
  static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL] &= ~0x100;  // the rest is of no interest
}

void allocate_small_and_large() {
  void* volatile small = malloc(40);
  void* volatile large = malloc(40000);
  free(small);
  free(large);
}

class InterruptedThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGTRAP, &action, &before_), 0);
    free(malloc(10));
    g_handler = allocate_small_and_large;
    g_unsaid_only = false;
    g_not_in = 0;
  }
  void TearDown() override { ASSERT_EQ(sigaction(SIGTRAP, &before_, nullptr), 0); }

  // Runs `once` with the handler at the first counted instruction, the one `stride` after it, and so on, until it does not come so
  // far. Returns how many runs had the handler in them.
  template <typename F>
  int at_each(int stride, F once) {
    int runs = 0;
    for (g_stop_at = 0;; g_stop_at += stride) {
      g_steps = 0;
      g_ran = false;
      once();
      if (!g_ran) return runs;
      runs++;
    }
  }

  static void run_thread(void* (*body)(void*)) {
    pthread_t thread;
    ASSERT_EQ(pthread_create(&thread, nullptr, body, nullptr), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
  }

  struct sigaction before_ = {};
};

TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereInAThreadsFirstCall) {
  const uint64_t live = liballoc::thread_counts().live;
  g_unsaid_only = true;
  const int runs = at_each(1, [] {
    run_thread([](void*) -> void* {
      trap(true);
      void* p = malloc(40);
      trap(false);
      free(p);
      return nullptr;
    });
  });
  EXPECT_GT(runs, 100);
  EXPECT_EQ(liballoc::thread_counts().live, live) << "one record a thread";
}

// Threads that wait for their end, so that each of the next has to make a new record.
TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereWhileARecordIsMade) {
  const uint64_t live = liballoc::thread_counts().live;
  static pthread_barrier_t made;
  static pthread_mutex_t end = PTHREAD_MUTEX_INITIALIZER;
  ASSERT_EQ(pthread_barrier_init(&made, nullptr, 2), 0);
  pthread_mutex_lock(&end);
  std::array<pthread_t, 1000> threads;
  size_t started = 0;
  g_unsaid_only = true;
  const int runs = at_each(31, [&] {
    ASSERT_LT(started, threads.size());
    const auto body = [](void*) -> void* {
      trap(true);
      void* p = malloc(40);
      trap(false);
      pthread_barrier_wait(&made);
      pthread_mutex_lock(&end);
      pthread_mutex_unlock(&end);
      free(p);
      return nullptr;
    };
    ASSERT_EQ(pthread_create(&threads[started++], nullptr, body, nullptr), 0);
    pthread_barrier_wait(&made);
  });
  pthread_mutex_unlock(&end);
  for (size_t i = 0; i < started; i++) ASSERT_EQ(pthread_join(threads[i], nullptr), 0);
  pthread_barrier_destroy(&made);
  EXPECT_GT(runs, 20);
  EXPECT_EQ(liballoc::thread_counts().live, live);
}

pthread_key_t g_key;
int g_round_of_calls;

// The library's key was made first, so what runs for this one finds the record given up.
void on_exit_of_thread(void* round) {
  trap(false);
  if (g_round_of_calls == 0) return;
  if (round == reinterpret_cast<void*>(1)) {
    pthread_setspecific(g_key, reinterpret_cast<void*>(2));
    return;
  }
  trap(true);
  void* p = malloc(700);
  trap(false);
  free(p);
}

TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereWhileAThreadGivesItsRecordUp) {
  const uint64_t live = liballoc::thread_counts().live;
  ASSERT_EQ(pthread_key_create(&g_key, on_exit_of_thread), 0);
  g_round_of_calls = 0;
  g_unsaid_only = true;
  const int runs = at_each(13, [] {
    run_thread([](void*) -> void* {
      free(malloc(40));
      pthread_setspecific(g_key, reinterpret_cast<void*>(1));
      trap(true);
      return nullptr;
    });
  });
  EXPECT_GT(runs, 20);
  EXPECT_EQ(liballoc::thread_counts().live, live);
  pthread_key_delete(g_key);
}

TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereInACallAfterTheThreadsRecordIsGone) {
  const uint64_t live = liballoc::thread_counts().live;
  ASSERT_EQ(pthread_key_create(&g_key, on_exit_of_thread), 0);
  g_round_of_calls = 1;
  g_unsaid_only = true;
  const int runs = at_each(13, [] {
    run_thread([](void*) -> void* {
      free(malloc(40));
      pthread_setspecific(g_key, reinterpret_cast<void*>(1));
      return nullptr;
    });
  });
  EXPECT_GT(runs, 20);
  EXPECT_EQ(liballoc::thread_counts().live, live);
  pthread_key_delete(g_key);
}

TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereWhileMemoryIsReleased) {
  const int runs = at_each(5, [] {
    free(malloc(400000));
    trap(true);
    liballoc_release_memory(SIZE_MAX);
    trap(false);
  });
  EXPECT_GT(runs, 50);
}

TEST_F(InterruptedThreadTest, AHandlerMayEndTheProcessAnywhereInASlowPath) {
  g_handler = [] { _exit(kExitStatus); };
  int ended = 0;
  for (int at = 0;; at += 5) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      free(malloc(40000));  // makes the child's segment
      if (!liballoc::g_segment.active()) _exit(1);
      alarm(30);
      g_stop_at = at;
      g_steps = 0;
      free(malloc(400000));
      trap(true);
      liballoc_release_memory(SIZE_MAX);  // under the page heap's lock for the most part
      trap(false);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == kExitStatus) << "at " << at << ": " << status;
    ended++;
  }
  EXPECT_GT(ended, 30);
}

TEST_F(InterruptedThreadTest, AHandlerMayAllocateAnywhereInTheChildOfAFork) {
  g_not_in = getpid();
  void* kept = malloc(5000);
  int runs = 0;
  // Narrow windows first: the child has just begun. Each run steps through the parent's preparation as well.
  for (g_stop_at = 0; g_stop_at < 4400; g_stop_at += g_stop_at < 200 ? 3 : 61) {
    const size_t in_use = mallinfo2().uordblks;
    g_steps = 0;
    g_ran = false;
    trap(true);
    const pid_t child = fork();
    trap(false);
    ASSERT_GE(child, 0);
    if (child == 0) {
      free(malloc(40000));
      if (mallinfo2().uordblks != in_use) _exit(1);
      _exit(g_ran ? 0 : kExitStatus);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == kExitStatus) break;
    EXPECT_EQ(status, 0) << "after instruction " << g_stop_at;
    runs++;
  }
  EXPECT_GT(runs, 20);
  free(kept);
}

constexpr size_t kBytes = 240;

uint64_t live_objects() {
  const auto& counter = liballoc::counter_beside(t_thread->heap.cache->bins[liballoc::size_to_class(kBytes)]);
  return liballoc::counted_mallocs(counter) - counter.frees;
}

TEST_F(InterruptedThreadTest, CountsStayExactWhenAHandlerAllocatesWhileAnObjectIsSampled) {
  g_handler = [] { free(malloc(kBytes)); };
  void* kept = malloc(kBytes);
  auto& counter = liballoc::counter_beside(t_thread->heap.cache->bins[liballoc::size_to_class(kBytes)]);
  const uint64_t live = live_objects();
  const int runs = at_each(5, [&] {
    free(malloc(kBytes));
    liballoc::rearm_counter(counter, liballoc::counted_mallocs(counter), 0);  // the next is sampled
    trap(true);
    void* p = malloc(kBytes);
    trap(false);
    EXPECT_EQ(live_objects(), live + 1) << "after instruction " << g_stop_at;
    free(p);
  });
  EXPECT_GT(runs, 100);
  EXPECT_EQ(live_objects(), live);
  free(kept);
}

}  // namespace
}  // namespace liballoc::interrupted_thread

#endif
