// slow_path_budget_test.cc - what a batch costs, in instructions of the library as it ships: a slot that a thread passes on, a slot
// that it fetches, a large object's malloc and free. Hits have figures of their own (tests/golden/hit_paths.txt). The trap flag counts,
// so the figures are the same on a busy machine; they may vary with the compiler and by a few percent with libc's memcpy. A figure
// over its budget is a regression to be explained or a budget to be raised, by whoever has measured what it buys.
#include <gtest/gtest.h>
#include <malloc.h>
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

#include "liballoc/core/sampling.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/size_classes.h"
#include "liballoc/os/os.h"
#include "tests/liballoc/api/trap_flag.h"

#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__clang__) && !LIBALLOC_DEBUG && !LIBALLOC_TEST_SANITIZED

namespace {

using liballoc::trap;

uint64_t g_instructions = 0;
uint64_t g_last_at = 0;

// A string instruction stops at each round of its own: it counts once, since how many rounds libc's memcpy has is the processor's
// affair.
void on_trap(int, siginfo_t*, void* context) {
  const auto at = static_cast<uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
  if (at != g_last_at) g_instructions++;
  g_last_at = at;
}

template <typename Call>
uint64_t instructions_of(Call call) {
  const uint64_t before = g_instructions;
  trap(true);
  call();
  trap(false);
  return g_instructions - before;
}

class SlowPathBudgetTest : public testing::Test {
 protected:
  void SetUp() override {
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGTRAP, &action, &before_), 0);
    // A sample comes when chance wants it: none is taken while the period is 0.
    period_ = liballoc::sample_period();
    liballoc::set_sample_period(0);
    // Counting takes seconds, in which caches would age.
    static const uint64_t now = liballoc::monotonic_ns();
    liballoc::set_clock_for_test([] { return now; });
  }
  void TearDown() override {
    liballoc::set_clock_for_test(nullptr);
    liballoc::set_sample_period(period_);
    sigaction(SIGTRAP, &before_, nullptr);
  }

  struct sigaction before_ = {};
  uint64_t period_ = 0;
};

// What the slow paths of one class cost over a batch that is longer than its bin: instructions per slot that they moved.
struct SlotCosts {
  double given = 0, fetched = 0;
};

// Stopping at an instruction takes microseconds: so many slow paths of each kind are counted.
constexpr int kCounted = 4;

SlotCosts slot_costs(size_t bytes, size_t batch, bool shuffled) {
  std::vector<void*> objects(batch);
  for (void*& p : objects) p = malloc(bytes);
  const liballoc::Bin& bin = liballoc::t_thread->heap.cache->bins[liballoc::size_to_class(bytes)];
  uint64_t given = 0, giving = 0, fetched = 0, fetching = 0;
  for (const bool counted : {false, true}) {  // in the first round bins grow, and memory comes that was never used
    if (shuffled) std::shuffle(objects.begin(), objects.end(), std::mt19937(7));
    int left = counted ? kCounted : 0;
    for (void* p : objects) {
      if (bin.top != bin.limit || left == 0) {
        free(p);
        continue;
      }
      const auto held = bin.top - bin.base;
      giving += instructions_of([p] { free(p); });
      EXPECT_LT(bin.top - bin.base, held) << "it gave nothing back";
      given += static_cast<uint64_t>(held + 1 - (bin.top - bin.base));
      left--;
    }
    left = counted ? kCounted : 0;
    for (void*& p : objects) {
      if (bin.top != bin.base || left == 0) {
        p = malloc(bytes);
        continue;
      }
      fetching += instructions_of([&] { p = malloc(bytes); });
      fetched += static_cast<uint64_t>(bin.top - bin.base + 1);
      left--;
    }
    EXPECT_EQ(left, 0) << "the batch is too short";
  }
  for (void* p : objects) free(p);
  return {static_cast<double>(giving) / static_cast<double>(given), static_cast<double>(fetching) / static_cast<double>(fetched)};
}

void expect_within(const char* what, double figure, double budget) {
  printf("%s: %.1f of %.0f instructions\n", what, figure, budget);
  EXPECT_LE(figure, budget) << what;
}

TEST_F(SlowPathBudgetTest, ABatchOfSmallObjects) {
  const SlotCosts costs = slot_costs(512, 4000, false);
  expect_within("a slot passed on", costs.given, 44);
  expect_within("a slot fetched", costs.fetched, 4);
}

TEST_F(SlowPathBudgetTest, ABatchOfSmallObjectsFreedInAnyOrder) {
  const SlotCosts costs = slot_costs(512, 4000, true);
  expect_within("a slot passed on", costs.given, 50);
  expect_within("a slot fetched", costs.fetched, 4);
}

TEST_F(SlowPathBudgetTest, ABatchOfObjectsOfSomeKilobytes) {
  const SlotCosts costs = slot_costs(8192, 1000, false);
  expect_within("a slot passed on", costs.given, 100);
  expect_within("a slot fetched", costs.fetched, 28);
}

// More than a thread's cache of runs holds, so that the page heap has its part.
TEST_F(SlowPathBudgetTest, ABatchOfLargeObjects) {
  std::vector<void*> objects(100);
  for (int round = 0; round < 3; round++) {
    for (void*& p : objects) p = malloc(65536);
    for (void* p : objects) free(p);
  }
  uint64_t frees = 0, mallocs = 0;
  for (void*& p : objects) mallocs += instructions_of([&] { p = malloc(65536); });
  for (void* p : objects) frees += instructions_of([p] { free(p); });
  expect_within("a malloc", static_cast<double>(mallocs) / static_cast<double>(objects.size()), 600);
  expect_within("a free", static_cast<double>(frees) / static_cast<double>(objects.size()), 620);
}

}  // namespace

#endif
