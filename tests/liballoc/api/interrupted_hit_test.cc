// interrupted_hit_test.cc - a signal handler that allocates, run after every single instruction of a malloc, free or sized delete
// that takes no slow path. Says for which handlers that is safe (docs/heap.md, The C functions), and how: the trap flag stops the real
// ones of liballoc.a at each instruction, once per run, and the handler does its worst there. Each such run is a process of its own,
// since what is not safe leaves a heap that must not be used again. Of slow paths each instruction is looked at in one run.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "liballoc/core/thread.h"
#include "liballoc/heap/size_classes.h"
#include "liballoc/heap/size_trust.h"
#include "tests/liballoc/api/trap_flag.h"

#if defined(__x86_64__)

namespace {

using liballoc::trap;

constexpr size_t kBytes = 240;       // a class that neither gtest nor libc uses much
constexpr size_t kMostLive = 4096;

// No containers: everything between arming and checking must leave the heap to the test.
void* g_live[kMostLive];
size_t g_live_count = 0;

void add_live(void* p) { g_live[g_live_count++] = p; }
void* drop_live() { return g_live[--g_live_count]; }

enum class Handler { kTemporary, kTwoCrossed, kReplace, kKeep, kFreeOlder };

// What the handler of a program may do.
void handle(Handler what) {
  switch (what) {
    case Handler::kTemporary: {  // allocates, frees it again
      void* volatile p = malloc(kBytes);
      free(p);
      break;
    }
    case Handler::kTwoCrossed: {  // frees all it allocated, in another order
      void* volatile a = malloc(kBytes);
      void* volatile b = malloc(kBytes);
      void* volatile c = malloc(kBytes);
      free(a);
      free(c);
      free(b);
      break;
    }
    case Handler::kReplace:  // frees what was there before, then allocates
      free(drop_live());
      add_live(malloc(kBytes));
      break;
    case Handler::kKeep:  // keeps what it allocates
      add_live(malloc(kBytes));
      break;
    case Handler::kFreeOlder:  // frees what was there before
      free(drop_live());
      break;
  }
}

Handler g_handler;
int g_stop_at, g_steps;  // instructions since arming; the handler runs at the one numbered g_stop_at
bool g_ran;

void on_trap(int, siginfo_t*, void*) {
  if (g_steps++ != g_stop_at) return;
  g_ran = true;
  handle(g_handler);
}

bool all_different() {
  std::sort(g_live, g_live + g_live_count);
  for (size_t i = 0; i < g_live_count; i++) {
    if (g_live[i] == nullptr) return false;
    if (i != 0 && reinterpret_cast<uintptr_t>(g_live[i]) - reinterpret_cast<uintptr_t>(g_live[i - 1]) < kBytes) return false;
  }
  return true;
}

constexpr int kOk = 0, kNotReached = 10, kOverlap = 11, kMiscounted = 12, kNoHit = 13;

enum class Call { kMalloc, kFree, kSizedDelete };

// One run: `filled` slots lie in the bin, then one call is interrupted at its instruction number `at`.
int run(Call call, Handler what, int at, int filled) {
  const bool in_malloc = call == Call::kMalloc;
  if (call == Call::kSizedDelete) {
    for (uint64_t i = 0; i < 2 * liballoc::kProbation; i++) ::operator delete(::operator new(kBytes), kBytes);
    if (!liballoc::sizes_are_trusted()) return kNoHit;
  }
  struct sigaction action = {};
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGTRAP, &action, nullptr) != 0) return kNoHit;
  void* some[200];
  for (void*& p : some) p = malloc(kBytes);
  for (int i = 0; i < 100; i++) add_live(some[i]);
  for (int i = 100; i < 200; i++) free(some[i]);
  const liballoc::Bin& bin = liballoc::t_cache->bins[liballoc::size_to_class(kBytes)];
  while (bin.top - bin.base > filled) add_live(malloc(kBytes));
  while (bin.top - bin.base < filled) free(drop_live());
  if (bin.top - bin.base != filled || bin.top == bin.limit) return kNoHit;
  void* victim = in_malloc ? nullptr : drop_live();
  const struct mallinfo2 before = mallinfo2();
  const size_t live_before = g_live_count + (in_malloc ? 0 : 1);
  g_handler = what;
  g_stop_at = at;
  g_steps = 0;
  g_ran = false;
  trap(true);
  if (in_malloc) {
    void* p = malloc(kBytes);
    trap(false);
    add_live(p);
  } else if (call == Call::kFree) {
    free(victim);
    trap(false);
  } else {
    ::operator delete(victim, kBytes);
    trap(false);
  }
  if (!g_ran) return kNotReached;
  const struct mallinfo2 after = mallinfo2();
  const auto grown = static_cast<int64_t>(after.uordblks - before.uordblks);
  if (grown != (static_cast<int64_t>(g_live_count) - static_cast<int64_t>(live_before)) * int64_t{kBytes}) return kMiscounted;
  for (int i = 0; i < 2000; i++) add_live(malloc(kBytes));  // hands out whatever the bin holds now, and more
  return all_different() ? kOk : kOverlap;
}

// Over all instructions: how many runs went wrong, and the first result that was.
struct Outcome {
  int reached = 0, overlaps = 0, miscounted = 0, crashed = 0;
};

Outcome run_all(Call call, Handler what, int filled) {
  Outcome out;
  for (int at = 0; at < 4000; at++) {  // to the end of the call: in a debug build sized deletes compare first
    const pid_t child = fork();
    if (child == 0) _exit(run(call, what, at, filled));
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    const int result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (result == kNotReached) break;
    out.reached++;
    if (result == kOverlap) out.overlaps++;
    else if (result == kMiscounted) out.miscounted++;
    else if (result != kOk) out.crashed++;
  }
  return out;
}

// Deep enough for every handler's allocations to be hits.
constexpr int kEnough = 20;
constexpr Call kCalls[] = {Call::kMalloc, Call::kFree, Call::kSizedDelete};

TEST(InterruptedHitTest, AHandlerThatFreesAllItAllocatesAndNothingElseMayRunAnywhere) {
  for (const Call call : kCalls) {
    for (const Handler what : {Handler::kTemporary, Handler::kTwoCrossed}) {
      for (const int filled : {4, 5, kEnough}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(call) << ", " << static_cast<int>(what) << ", " << filled);
        const Outcome out = run_all(call, what, filled);
        EXPECT_GE(out.reached, 15) << "the trap must have stopped at the hit's instructions";
        EXPECT_EQ(out.overlaps, 0);
        EXPECT_EQ(out.miscounted, 0);
        EXPECT_EQ(out.crashed, 0);
      }
    }
  }
}

TEST(InterruptedHitTest, AHandlerThatOnlyFreesMayInterruptEveryFree) {
  for (const Call call : {Call::kFree, Call::kSizedDelete}) {
    const Outcome out = run_all(call, Handler::kFreeOlder, kEnough);
    EXPECT_GE(out.reached, 15);
    EXPECT_EQ(out.overlaps + out.miscounted + out.crashed, 0);
  }
}

// What docs/heap.md says of the others. Counts stay exact even then.
TEST(InterruptedHitTest, AHandlerThatKeepsWhatItAllocatesMayBeHandedTheSlotOfTheHitItInterrupts) {
  for (const Call call : kCalls) {
    const Outcome out = run_all(call, Handler::kKeep, kEnough);
    EXPECT_GE(out.reached, 15);
    EXPECT_GT(out.overlaps, 0) << "has it become safe? then the documentation must say so";
    EXPECT_EQ(out.miscounted, 0);
    EXPECT_EQ(out.crashed, 0);
  }
}

// ---- slow paths: a bin changes only while no call can be a hit, so whatever a handler does there meets no bin halfway ----

const liballoc::Bin* g_bin;
std::array<void*, 4096> g_slots;  // what it held at the last instruction
liballoc::Bin g_look;
int g_changes, g_open_changes;

void look() {
  g_look = *g_bin;
  std::copy(g_bin->base, g_bin->top, g_slots.begin());
}

void watch(int, siginfo_t*, void*) {
  const bool same = g_look.base == g_bin->base && g_look.top == g_bin->top && g_look.limit == g_bin->limit &&
                    std::equal(g_bin->base, g_bin->top, g_slots.begin());
  if (!same && liballoc::t_thread->in_slow) {
    g_changes++;
    if (liballoc::t_cache != liballoc::kEmptyCache) g_open_changes++;
  }
  if (!same) look();
}

template <typename Call>
void expect_changes_while_hits_are_closed(Call call) {
  g_changes = g_open_changes = 0;
  look();
  trap(true);
  call();
  trap(false);
  EXPECT_GT(g_changes, 0);
  EXPECT_EQ(g_open_changes, 0) << "of " << g_changes;
}

TEST(InterruptedSlowPathTest, BinsChangeOnlyWhileNoCallCanBeAHit) {
  struct sigaction action = {}, before = {};
  action.sa_sigaction = watch;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(sigaction(SIGTRAP, &action, &before), 0);
  g_live_count = 0;
  add_live(malloc(kBytes));
  g_bin = &liballoc::t_thread->heap.cache->bins[liballoc::size_to_class(kBytes)];
  void* p = nullptr;
  {
    SCOPED_TRACE("a malloc that fills an empty bin");
    while (g_bin->top != g_bin->base) add_live(malloc(kBytes));
    expect_changes_while_hits_are_closed([&] { p = malloc(kBytes); });
  }
  {
    SCOPED_TRACE("a free that finds the bin full");
    add_live(p);
    while (g_live_count < 1000) add_live(malloc(kBytes));
    while (g_bin->top != g_bin->limit) free(drop_live());
    p = drop_live();
    expect_changes_while_hits_are_closed([&] { free(p); });
  }
  {
    SCOPED_TRACE("a slow path a second later, when bins give a part back");
    const auto a_second_later = [] {
      liballoc::t_thread->shrunk_ns = 0;
      liballoc::t_thread->pages_freed = true;  // so that the next slow path looks
    };
    a_second_later();
    free(malloc(100000));  // since now the bin has not run out
    p = malloc(100000);
    a_second_later();
    expect_changes_while_hits_are_closed([&] { free(p); });
  }
  while (g_live_count != 0) free(drop_live());
  ASSERT_EQ(sigaction(SIGTRAP, &before, nullptr), 0);
}

}  // namespace

#endif
