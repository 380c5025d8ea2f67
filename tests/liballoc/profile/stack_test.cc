// stack_test.cc - stacks have the frames they should, also through code that is not ours and out of
// a signal.
#include "liballoc/profile/stack.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <thread>
#include <vector>

namespace liballoc {
namespace {

#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE \
  __attribute__((noipa))  // no clones either: frames are told by the address of the function
#endif

struct Captured {
  uintptr_t pcs[kMaxStackDepth] = {};
  CapturedStack stack{};
};

// Where a function begins and, roughly, ends: return addresses into it lie behind its begin and
// near it.
template <typename F>
bool within(uintptr_t pc, F* function, uintptr_t bytes = 512) {
  const auto begin = reinterpret_cast<uintptr_t>(function);
  return pc > begin && pc <= begin + bytes;
}

NOINLINE void innermost(Captured* out, uint32_t max_depth, uint32_t skip) {
  out->stack = capture_stack(out->pcs, max_depth, skip);
  __asm__ volatile("" ::: "memory");  // no tail call
}
NOINLINE void middle(Captured* out, uint32_t max_depth, uint32_t skip) {
  innermost(out, max_depth, skip);
  __asm__ volatile("" ::: "memory");
}
NOINLINE void outermost(Captured* out, uint32_t max_depth, uint32_t skip) {
  middle(out, max_depth, skip);
  __asm__ volatile("" ::: "memory");
}

TEST(StackTest, FramesAreLeafFirst) {
  Captured got;
  outermost(&got, kMaxStackDepth, 0);
  ASSERT_GE(got.stack.depth, 4u);
  EXPECT_FALSE(got.stack.truncated);
  EXPECT_TRUE(within(got.pcs[0], innermost));
  EXPECT_TRUE(within(got.pcs[1], middle));
  EXPECT_TRUE(within(got.pcs[2], outermost));
  for (uint32_t i = 0; i < got.stack.depth; i++) EXPECT_NE(got.pcs[i], 0u);
}

TEST(StackTest, SkipLeavesCallersOut) {
  Captured got;
  outermost(&got, kMaxStackDepth, 2);
  ASSERT_GE(got.stack.depth, 2u);
  EXPECT_TRUE(within(got.pcs[0], outermost));
}

TEST(StackTest, SkippingEverythingGivesNothing) {
  Captured got;
  outermost(&got, kMaxStackDepth, 100000);
  EXPECT_EQ(got.stack.depth, 0u);
  EXPECT_FALSE(got.stack.truncated);
}

TEST(StackTest, DepthLimitCutsAndSaysSo) {
  Captured got;
  outermost(&got, 2, 0);
  EXPECT_EQ(got.stack.depth, 2u);
  EXPECT_TRUE(got.stack.truncated);
  EXPECT_TRUE(within(got.pcs[1], middle));
  EXPECT_EQ(got.pcs[2], 0u);  // nothing behind the limit was written
}

NOINLINE void recurse(int levels, Captured* out) {
  if (levels == 0)
    innermost(out, kMaxStackDepth, 0);
  else
    recurse(levels - 1, out);
  __asm__ volatile("" ::: "memory");
}

TEST(StackTest, DeepRecursionFillsTheLimitFromTheLeaf) {
  Captured got;
  recurse(500, &got);
  EXPECT_EQ(got.stack.depth, kMaxStackDepth);
  EXPECT_TRUE(got.stack.truncated);
  for (uint32_t i = 1; i < kMaxStackDepth; i++) ASSERT_TRUE(within(got.pcs[i], recurse));
}

Captured* g_captured = nullptr;

NOINLINE int compare_and_capture(const void* a, const void* b) {
  if (g_captured->stack.depth == 0) innermost(g_captured, kMaxStackDepth, 0);
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}
// The C library's own: a sanitizer has another in the program.
decltype(&qsort) g_libc_qsort = nullptr;
NOINLINE void sort_numbers() {
  int numbers[] = {3, 1, 2, 5, 4};
  g_libc_qsort(numbers, 5, sizeof(int), compare_and_capture);
  __asm__ volatile("" ::: "memory");
}

TEST(StackTest, FramesOfTheCLibraryAreWalkedThrough) {
  Captured got;
  g_captured = &got;
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  ASSERT_NE(libc, nullptr);
  g_libc_qsort = reinterpret_cast<decltype(&qsort)>(dlsym(libc, "qsort"));
  dlclose(libc);
  sort_numbers();
  ASSERT_GE(got.stack.depth, 4u);
  EXPECT_TRUE(within(got.pcs[1], compare_and_capture));
  Dl_info info{};
  ASSERT_NE(dladdr(reinterpret_cast<void*>(got.pcs[2]), &info), 0);
  EXPECT_NE(std::string(info.dli_fname).find("libc.so"), std::string::npos);
  bool reached = false;
  for (uint32_t i = 3; i < got.stack.depth; i++) reached |= within(got.pcs[i], sort_numbers);
  EXPECT_TRUE(reached);
}

uintptr_t g_fault_pc = 0;

// Reads address 0; the handler steps over the load.
NOINLINE void faulting();
void on_fault(int, siginfo_t*, void* context) {
  innermost(g_captured, kMaxStackDepth, 0);
  auto* const machine = &static_cast<ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  g_fault_pc = static_cast<uintptr_t>(machine->gregs[REG_RIP]);
  machine->gregs[REG_RIP] += 2;  // mov (%rax), %eax
#else
  g_fault_pc = machine->pc;
  machine->pc += 4;
#endif
}
void faulting() {
#if defined(__x86_64__)
  __asm__ volatile("xor %%eax, %%eax\n\tmov (%%rax), %%eax" ::: "rax", "memory");
#else
  __asm__ volatile("mov x0, #0\n\tldr w0, [x0]" ::: "x0", "memory");
#endif
}

TEST(StackTest, InterruptedFrameSurvivesTheStepBackOfOneByte) {
  Captured got;
  g_captured = &got;
  struct sigaction action {
  }, before{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  ASSERT_EQ(sigaction(SIGSEGV, &action, &before), 0);
  faulting();
  sigaction(SIGSEGV, &before, nullptr);
  EXPECT_TRUE(within(got.pcs[0], innermost));
  bool found = false;
  for (uint32_t i = 0; i < got.stack.depth; i++) found |= got.pcs[i] == g_fault_pc + 1;
  EXPECT_TRUE(found);
  ASSERT_GE(got.stack.depth, 4u);
}

TEST(StackTest, EveryThreadCaptures) {
  std::vector<std::thread> threads;
  std::vector<Captured> got(4);
  for (Captured& one : got)
    threads.emplace_back([&one] {
      for (int i = 0; i < 200; i++) outermost(&one, kMaxStackDepth, 0);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Captured& one : got) {
    ASSERT_GE(one.stack.depth, 3u);
    EXPECT_TRUE(within(one.pcs[2], outermost));
    EXPECT_EQ(one.stack.depth, got[0].stack.depth);
  }
}

TEST(StackTest, WarmingUpLeavesNothingBehind) {
  warm_unwinder();
  Captured got;
  outermost(&got, kMaxStackDepth, 0);
  EXPECT_TRUE(within(got.pcs[2], outermost));
}

TEST(StackTest, HashDependsOnEveryAddressAndOnTheDepth) {
  uintptr_t pcs[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const uint64_t hash = hash_stack(pcs, 8);
  EXPECT_EQ(hash_stack(pcs, 8), hash);
  EXPECT_NE(hash_stack(pcs, 7), hash);
  for (uintptr_t& pc : pcs) {
    pc ^= uintptr_t{1} << 40;
    EXPECT_NE(hash_stack(pcs, 8), hash);
    pc ^= uintptr_t{1} << 40;
  }
  std::swap(pcs[0], pcs[1]);
  EXPECT_NE(hash_stack(pcs, 8), hash);
  pcs[0] = 0;
  EXPECT_NE(hash_stack(pcs, 1), hash_stack(pcs, 0));
}

}  // namespace
}  // namespace liballoc
