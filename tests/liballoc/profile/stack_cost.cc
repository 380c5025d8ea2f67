// stack_cost.cc - what one captured stack costs, by rules and by libgcc: nanoseconds, and
// instructions where the kernel lets a program count its own. Not a test of speed: it fails only
// when the two walks disagree.
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <initializer_list>

#include "liballoc/profile/libgcc_walk.h"
#include "liballoc/profile/stack.h"

namespace liballoc {
namespace {

uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

int open_instruction_counter() {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
}

uint64_t read_counter(int counter) {
  uint64_t value = 0;
  return counter >= 0 && read(counter, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

// Names of their own, so that a simulator can be told to count within them
// (docs/decisions/unwinding.md).
__attribute__((noinline)) uint32_t cost_by_rules(uintptr_t* pcs) {
  return capture_stack(pcs, kMaxStackDepth, 0).depth;
}
__attribute__((noinline)) uint32_t cost_by_libgcc(uintptr_t* pcs) {
  FrameSink sink = {pcs, kMaxStackDepth, 0};
  walk_by_libgcc(&sink);
  return sink.depth;
}

struct Cost {
  uint32_t depth = 0;
  double ns = 0, instructions = 0;
  uintptr_t pcs[kMaxStackDepth] = {};
};

Cost measure(uint32_t (*walk)(uintptr_t*), unsigned rounds, int counter) {
  Cost cost;
  cost.depth = walk(cost.pcs);  // the rules of this stack are known from here on
  const uint64_t begin = now_ns(), begin_instructions = read_counter(counter);
  for (unsigned i = 0; i < rounds; i++) walk(cost.pcs);
  cost.ns = static_cast<double>(now_ns() - begin) / rounds;
  cost.instructions = static_cast<double>(read_counter(counter) - begin_instructions) / rounds;
  return cost;
}

bool compare(unsigned rounds, int counter) {
  const Cost rules = measure(cost_by_rules, rounds, counter);
  const Cost libgcc = measure(cost_by_libgcc, rounds, counter);
  printf("%6u %12.0f %12.0f %14.0f %14.0f\n", rules.depth, rules.ns, libgcc.ns, rules.instructions,
         libgcc.instructions);
  bool same = rules.depth == libgcc.depth;
  for (uint32_t i = 3; i < rules.depth; i++)
    same &= rules.pcs[i] == libgcc.pcs[i];  // 3: calls from two places
  return same;
}

__attribute__((noinline)) bool descend(unsigned levels, unsigned rounds, int counter) {
  const bool same = levels == 0 ? compare(rounds, counter) : descend(levels - 1, rounds, counter);
  __asm__ volatile("" ::: "memory");  // no tail call
  return same;
}

}  // namespace
}  // namespace liballoc

int main(int argc, char** argv) {
  using namespace liballoc;
  const auto rounds = static_cast<unsigned>(argc > 1 ? strtoul(argv[1], nullptr, 10) : 100000);
  if (rounds == 0) {
    fprintf(stderr, "usage: %s [rounds]  rounds: a number from 1 on; got \"%s\"\n", argv[0],
            argv[1]);
    return 2;
  }
  warm_unwinder();
  const int counter = open_instruction_counter();
  printf("%6s %12s %12s %14s %14s\n", "frames", "ns rules", "ns libgcc", "instr rules",
         "instr libgcc");
  bool same = true;
  for (const unsigned levels : {0u, 2u, 4u, 10u, 20u, 40u})
    same &= descend(levels, rounds, counter);
  if (counter < 0) printf("instructions: the kernel does not let this program count them\n");
  if (!same) fprintf(stderr, "the walks disagree\n");
  return same ? 0 : 1;
}
