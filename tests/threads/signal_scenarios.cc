// signal_scenarios.cc - signal handlers that allocate, under a fast timer, while the program allocates.
// POSIX lists malloc not among what a handler may call; what liballoc promises beyond that is in docs/architecture.md.
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

constexpr long kTimerMicroseconds = 40;
constexpr double kSeconds = 3;

// What handlers keep between signals: blocks of the small sizes that the program uses as well.
constexpr size_t kHeld = 8;
Block g_held[kHeld];
volatile sig_atomic_t g_signals = 0;
volatile sig_atomic_t g_refused = 0;
volatile sig_atomic_t g_broken = 0;
size_t g_large = 0;  // > 0: handlers allocate this much, too, and free it at once
volatile sig_atomic_t g_timer_on = 0;

void fill(Block& block) {
  for (size_t i = 0; i < block.bytes; i++) block.data[i] = static_cast<unsigned char>((block.stamp + i) * 167 >> 3);
}

void allocate_in_handler() {
  const auto n = static_cast<size_t>(g_signals);
  g_signals = g_signals + 1;
  Block& held = g_held[n % kHeld];
  if (held.data != nullptr) {
    if (!intact(held)) g_broken = g_broken + 1;
    free(held.data);
    held = Block();
  }
  held.bytes = 16 + n % 3 * 16;
  held.stamp = n;
  held.data = static_cast<unsigned char*>(malloc(held.bytes));
  if (held.data == nullptr) {
    g_refused = g_refused + 1;
    return;
  }
  fill(held);
  if (g_large == 0) return;
  if (void* large = malloc(g_large)) {
    memset(large, 'L', g_large);
    free(large);
  } else {
    g_refused = g_refused + 1;
  }
}

void set_timer(long microseconds) {
  const itimerval once = {{0, 0}, {0, microseconds}};
  CHECK(setitimer(ITIMER_REAL, &once, nullptr) == 0);
}

// Armed again at the end: where a handler takes longer than the timer, a periodic one would leave the program no time at all.
void on_timer(int) {
  allocate_in_handler();
  if (g_timer_on != 0) set_timer(kTimerMicroseconds);
}

void start_timer() {
  struct sigaction action = {};
  action.sa_handler = on_timer;
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
  g_timer_on = 1;
  set_timer(kTimerMicroseconds);
}

void stop_timer() {
  g_timer_on = 0;
  set_timer(0);
  for (Block& held : g_held) {
    if (held.data == nullptr) continue;
    if (!intact(held)) g_broken = g_broken + 1;
    free(held.data);
    held = Block();
  }
}

double now() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<double>(ts.tv_sec) + static_cast<double>(ts.tv_nsec) * 1e-9;
}

void report(long operations, long broken) {
  fprintf(stderr, "%ld signals, %ld operations, %ld refused, %ld of the program's and %ld of the handlers' blocks broken\n",
          static_cast<long>(g_signals), operations, static_cast<long>(g_refused), broken, static_cast<long>(g_broken));
}

}  // namespace

void handlers_that_allocate_in_slow_paths() {
  // The program's own requests are all large, so every interrupted call is in a slow path or outside of the allocator.
  g_large = 70000;
  start_timer();
  long operations = 0;
  Sizes sizes(5);
  for (const double end = now() + kSeconds; now() < end; operations++) {
    Block block = make_block(33000 + sizes.number() % 100000, sizes.number());
    end_block(block);
  }
  stop_timer();
  report(operations, 0);
  CHECK(g_signals > 100);
  CHECK(g_broken == 0);
  churn(6, 20000);
}

void handlers_that_allocate_around_a_fork() {
  // Most of fork() lies between taking the locks and the system call, or after it in the parent.
  g_large = 70000;
  start_timer();
  int forks = 0;
  for (const double end = now() + kSeconds; now() < end; forks++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      void* p = malloc(1000);
      free(p);
      _exit(p != nullptr ? 0 : 1);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    Block block = make_block(33000, static_cast<uint64_t>(forks));
    end_block(block);
  }
  stop_timer();
  report(forks, 0);
  CHECK(g_signals > 100);
  CHECK(g_broken == 0);
  churn(6, 20000);
}

void handlers_that_fork_in_slow_paths() {
  // A child of such a fork may only exec or exit. The fork comes back in both, whatever the program held.
  constexpr long kMicroseconds = 1000;  // after a fork every page that the program writes to is copied
  struct sigaction action = {};
  action.sa_handler = [](int) {
    g_signals = g_signals + 1;
    const pid_t child = fork();
    if (child == 0) _exit(0);
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (child < 0 || !WIFEXITED(status)) g_broken = g_broken + 1;
    if (g_timer_on != 0) set_timer(kMicroseconds);
  };
  action.sa_flags = SA_RESTART;
  CHECK(sigaction(SIGALRM, &action, nullptr) == 0);
  g_timer_on = 1;
  set_timer(kMicroseconds);
  Sizes sizes(5);
  long operations = 0;
  for (const double end = now() + kSeconds; now() < end; operations++) {
    Block block = make_block(33000 + sizes.number() % 100000, sizes.number());
    end_block(block);
    if (operations % 16 != 0) continue;
    // Which handlers interrupt as well.
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(0);
    int status = -1;
    while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
  }
  stop_timer();
  report(operations, 0);
  CHECK(g_signals > 100);
  CHECK(g_broken == 0);
  churn(6, 20000);
}

void handlers_that_allocate_anywhere() {
  // The program does almost nothing but take small blocks from the thread's cache and give them back.
  constexpr size_t kBlocks = 64;
  static Block blocks[kBlocks];
  start_timer();
  long operations = 0, broken = 0;
  for (const double end = now() + kSeconds; now() < end;) {
    for (int again = 0; again < 50; again++) {
      for (size_t i = 0; i < kBlocks; i++) {
        blocks[i].bytes = 16 + i % 3 * 16;
        blocks[i].stamp = i * 7 + static_cast<uint64_t>(again);
        blocks[i].data = static_cast<unsigned char*>(malloc(blocks[i].bytes));
        CHECK(blocks[i].data != nullptr);
      }
      for (Block& block : blocks) fill(block);
      for (Block& block : blocks) {
        if (!intact(block)) broken++;
      }
      for (Block& block : blocks) free(block.data);
      operations += kBlocks;
    }
  }
  stop_timer();
  report(operations, broken);
  CHECK(g_signals > 100);
  CHECK(g_broken == 0 && broken == 0);
  churn(6, 20000);
}

}  // namespace scenario
