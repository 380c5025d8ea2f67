// every_instruction_test.cc - runs library code instruction by instruction and, before each, walks
// the stack from there both by rules and by libgcc. Proves rules for prologues, epilogues and stubs
// too, which no return address ever points to.
#include <gtest/gtest.h>

#if defined(__x86_64__)  // single steps by the trap flag

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

#include <algorithm>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/liballoc/profile/both_walks.h"
#include "tests/liballoc/profile/frame_shapes.h"

namespace liballoc {
namespace {

struct Tally {
  RuleCache* cache = nullptr;
  uint64_t steps = 0, simple = 0, lost = 0, differing = 0;
  uintptr_t first_difference = 0;
  WalkedStack by_rules, by_libgcc;  // of the first difference
  uint64_t limit = 0;
  volatile sig_atomic_t stop = 0;
};
Tally* g_tally = nullptr;
WalkedStack g_rules, g_libgcc;  // not on the stack that is being walked

constexpr greg_t kTrapFlag = 0x100;

void on_step(int, siginfo_t*, void* context) {
  auto* const machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
  Tally& tally = *g_tally;
  if (tally.stop != 0 || ++tally.steps > tally.limit) {
    machine->gregs[REG_EFL] &= ~kTrapFlag;
    return;
  }
  const auto pc = static_cast<uintptr_t>(machine->gregs[REG_RIP]);
  // An interrupted instruction is looked up by its own address; return addresses by the one before.
  const FrameRegisters from = {pc + 1, static_cast<uintptr_t>(machine->gregs[REG_RSP]),
                               static_cast<uintptr_t>(machine->gregs[REG_RBP]), 0};
  FrameSink sink = {g_rules.pcs, kMaxStackDepth, 0};
  if (!walk_frames(*tally.cache, from, &sink)) return;
  g_rules.depth = sink.depth;
  g_rules.truncated = sink.truncated;
  // Some hand-written code of the C library pushes without telling (__mpn_addmul_1). The walk ends
  // there; libgcc would read code at the nonsense it takes for the return address, and crash.
  UnwindModule module;
  if (!find_unwind_module(g_rules.pcs[g_rules.depth - 1] - 1, &module)) {
    tally.lost++;
    return;
  }
  tally.simple++;
  // libgcc sees this function and the code that returns from the signal first.
  sink = {g_libgcc.pcs, kMaxStackDepth, 2};
  _Unwind_Backtrace(add_frame, &sink);
  g_libgcc.depth = sink.depth;
  g_libgcc.truncated = sink.truncated;
  if (g_rules == g_libgcc) return;
  if (tally.differing++ == 0) {
    tally.first_difference = pc;
    tally.by_rules = g_rules;
    tally.by_libgcc = g_libgcc;
  }
}

class EveryInstructionTest : public testing::Test {
 protected:
  void SetUp() override {
    memory_ = aligned_alloc(64, RuleCache::kBytes);
    memset(memory_, 0, RuleCache::kBytes);
    cache_.init(memory_);
    BothWalks warm;
    walk_both(cache_, &warm);  // libgcc's first time
    struct sigaction action {};
    action.sa_sigaction = on_step;
    action.sa_flags = SA_SIGINFO;
    ASSERT_EQ(sigaction(SIGTRAP, &action, &before_), 0);
    tally_.cache = &cache_;
    g_tally = &tally_;
  }
  void TearDown() override {
    sigaction(SIGTRAP, &before_, nullptr);
    free(memory_);
  }

  template <typename F>
  void run(uint64_t limit, F work) {
    tally_.limit = limit;
    // Not by push and pop at the end too: no table tells of a push in here.
    __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
    work();
    tally_.stop = 1;  // seen at the next step
    EXPECT_EQ(tally_.differing, 0u)
        << "first at " << std::hex << tally_.first_difference << ", frames by rules "
        << tally_.by_rules.depth << ", by libgcc " << tally_.by_libgcc.depth;
    RecordProperty("instructions", static_cast<int>(tally_.steps));
    RecordProperty("by_rules", static_cast<int>(tally_.simple));
    RecordProperty("lost", static_cast<int>(tally_.lost));
    EXPECT_GT(tally_.steps, 500u);
    // The rest are stubs of the linkage table and what the loader does below one: left to libgcc.
    EXPECT_GT(tally_.simple * 2, tally_.steps - tally_.lost);
    EXPECT_LT(tally_.lost * 4, tally_.steps);
  }

  RuleCache cache_;
  void* memory_ = nullptr;
  Tally tally_;
  struct sigaction before_ {};
};

constexpr uint64_t kLimit = 30000;

TEST_F(EveryInstructionTest, NumbersToTextAndBack) {
  char text[200];
  volatile double sum = 0;
  run(kLimit, [&] {
    for (int i = 1; i < 6; i++) {
      snprintf(text, sizeof(text), "%d %s %.17g %Lf %p", i, "text", 1e300 / i, 3.25L * i,
               static_cast<void*>(text));
      sum = sum + strtod("2.2250738585072011e-308", nullptr) + strtod(text, nullptr);
    }
  });
}

int compare(const void* a, const void* b) {
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(EveryInstructionTest, Sorting) {
  std::vector<int> numbers(60);
  for (size_t i = 0; i < numbers.size(); i++) numbers[i] = static_cast<int>(i * 7919 % 101);
  std::vector<int> copy = numbers;
  run(kLimit, [&] {
    qsort(numbers.data(), numbers.size(), sizeof(int), compare);
    std::sort(copy.begin(), copy.end());
  });
  EXPECT_EQ(numbers, copy);
}

TEST_F(EveryInstructionTest, StringsAndMaps) {
  std::map<std::string, std::string> map;
  run(kLimit, [&] {
    for (int i = 0; i < 20; i++)
      map[std::to_string(i * 37)] += std::string(static_cast<size_t>(i) * 5, 'x');
  });
  EXPECT_EQ(map.size(), 20u);
}

TEST_F(EveryInstructionTest, Time) {
  tm parts{};
  char text[100];
  run(kLimit, [&] {
    for (int i = 0; i < 3; i++) {
      const time_t now = time(nullptr);
      localtime_r(&now, &parts);
      strftime(text, sizeof(text), "%c %Z", &parts);
      timespec precise{};
      clock_gettime(CLOCK_REALTIME, &precise);  // the vDSO
    }
  });
}

TEST_F(EveryInstructionTest, Exceptions) {
  int caught = 0;
  run(kLimit, [&] {
    for (int i = 0; i < 3; i++) {
      try {
        std::vector<int>().at(1);
      } catch (const std::out_of_range&) {
        caught++;
      }
    }
  });
  EXPECT_EQ(caught, 3);
}

void nothing(void*) {}

TEST_F(EveryInstructionTest, EveryShapeOfFrame) {
  run(2 * kLimit, [&] {
    for (const FrameShapes& shapes : {frame_shapes_o2(), frame_shapes_o3(), frame_shapes_small(),
                                      frame_shapes_o0(), frame_shapes_frame_pointer()}) {
      for (size_t i = 0; i < shapes.count; i++) {
        if (strcmp(shapes.begin[i].name, "in_handler") != 0) shapes.begin[i].call(nothing, nullptr);
      }
    }
  });
}

}  // namespace
}  // namespace liballoc

#endif
