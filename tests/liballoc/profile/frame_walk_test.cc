// frame_walk_test.cc - the walk by rules finds frame by frame what libgcc finds, through every
// shape of frame, through the C library, out of signals; and hands over where it should.
#include "liballoc/profile/frame_walk.h"

#include <alloca.h>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "tests/liballoc/profile/both_walks.h"
#include "tests/liballoc/profile/frame_shapes.h"

namespace liballoc {
namespace {

class FrameWalkTest : public testing::Test {
 protected:
  void SetUp() override {
    memory_ = aligned_alloc(64, RuleCache::kBytes);
    memset(memory_, 0, RuleCache::kBytes);
    cache_.init(memory_);
  }
  void TearDown() override { free(memory_); }

  RuleCache cache_;
  void* memory_ = nullptr;
};

struct Request {
  RuleCache* cache;
  BothWalks walks;
  unsigned calls = 0, simple = 0, differing = 0;
};

void leaf(void* argument) {
  auto* const request = static_cast<Request*>(argument);
  walk_both(*request->cache, &request->walks);
  request->calls++;
  request->simple += request->walks.simple;
  request->differing +=
      request->walks.simple && !(request->walks.by_rules == request->walks.by_libgcc);
}

void expect_agreement(const Request& request, unsigned at_least_depth) {
  EXPECT_EQ(request.differing, 0u);
  EXPECT_GE(request.walks.by_libgcc.depth, at_least_depth);
  EXPECT_TRUE(request.walks.simple);
  for (uint32_t i = 0; i < request.walks.by_libgcc.depth; i++)
    EXPECT_EQ(request.walks.by_rules.pcs[i], request.walks.by_libgcc.pcs[i]) << "frame " << i;
}

TEST_F(FrameWalkTest, AgreesWithLibgccOnEveryShapeOfFrame) {
  for (const FrameShapes& shapes : {frame_shapes_o0(), frame_shapes_o2(), frame_shapes_o3(),
                                    frame_shapes_frame_pointer(), frame_shapes_small()}) {
    for (size_t i = 0; i < shapes.count; i++) {
      const FrameShape& shape = shapes.begin[i];
      SCOPED_TRACE(std::string(shape.options) + " " + shape.name);
      Request request{&cache_, {}};
      for (int round = 0; round < 3; round++) shape.call(leaf, &request);  // derived, then kept
      EXPECT_GE(request.calls, 3u);
      EXPECT_EQ(request.simple, request.calls);
      expect_agreement(request, 4);
    }
  }
}

TEST_F(FrameWalkTest, AgreesWithoutACache) {
  RuleCache none;
  const FrameShapes shapes = frame_shapes_o2();
  for (size_t i = 0; i < shapes.count; i++) {
    SCOPED_TRACE(shapes.begin[i].name);
    Request request{&none, {}};
    shapes.begin[i].call(leaf, &request);
    expect_agreement(request, 4);
  }
}

TEST_F(FrameWalkTest, RecursionPastTheLimitIsCutAlike) {
  Request request{&cache_, {}};
  const FrameShapes shapes = frame_shapes_o0();
  const FrameShape& deep = shapes.begin[shapes.count - 1];
  ASSERT_STREQ(deep.name, "deep");
  deep.call(leaf, &request);
  EXPECT_TRUE(request.walks.by_rules.truncated);
  EXPECT_EQ(request.walks.by_rules.depth, kMaxStackDepth);
  expect_agreement(request, kMaxStackDepth);
}

Request* g_request = nullptr;

int compare_and_walk(const void* a, const void* b) {
  leaf(g_request);
  return *static_cast<const int*>(a) - *static_cast<const int*>(b);
}

TEST_F(FrameWalkTest, AgreesThroughTheCLibrary) {
  Request request{&cache_, {}};
  g_request = &request;
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);  // a sanitizer has a qsort too
  ASSERT_NE(libc, nullptr);
  const auto libc_qsort = reinterpret_cast<decltype(&qsort)>(dlsym(libc, "qsort"));
  const auto libc_bsearch = reinterpret_cast<decltype(&bsearch)>(dlsym(libc, "bsearch"));
  dlclose(libc);
  int numbers[] = {7, 3, 9, 1, 5, 8, 2, 6, 4};
  libc_qsort(numbers, 9, sizeof(int), compare_and_walk);
  const int key = 5;
  EXPECT_NE(libc_bsearch(&key, numbers, 9, sizeof(int), compare_and_walk), nullptr);
  EXPECT_GT(request.calls, 10u);
  EXPECT_EQ(request.simple, request.calls);
  expect_agreement(request, 4);
}

int visit_module(dl_phdr_info*, size_t, void* request) {
  leaf(request);
  return 1;
}

TEST_F(FrameWalkTest, AgreesThroughTheLoader) {
  Request request{&cache_, {}};
  dl_iterate_phdr(visit_module, &request);
  expect_agreement(request, 4);
}

TEST_F(FrameWalkTest, AgreesInThreadsThatFillTheCacheTogether) {
  std::vector<Request> requests(4, Request{&cache_, {}});
  std::vector<std::thread> threads;
  for (Request& request : requests)
    threads.emplace_back([&request] {
      for (int round = 0; round < 20; round++)
        for (const FrameShapes& shapes : {frame_shapes_o2(), frame_shapes_o3()})
          for (size_t i = 0; i < shapes.count; i++) shapes.begin[i].call(leaf, &request);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Request& request : requests) {
    EXPECT_EQ(request.simple, request.calls);
    expect_agreement(request, 4);
  }
}

TEST_F(FrameWalkTest, AgreesInTheChildOfAFork) {
  Request request{&cache_, {}};
  frame_shapes_o2().begin[0].call(leaf, &request);
  const pid_t child = fork();
  if (child == 0) {
    const FrameShapes shapes = frame_shapes_o2();
    for (size_t i = 0; i < shapes.count; i++) shapes.begin[i].call(leaf, &request);
    _exit(request.differing == 0 && request.simple == request.calls && request.calls > 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

void on_signal(int) { leaf(g_request); }

TEST_F(FrameWalkTest, LeavesStacksWithASignalFrameToLibgcc) {
  Request request{&cache_, {}};
  g_request = &request;
  struct sigaction action {
  }, before{};
  action.sa_handler = on_signal;
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(request.calls, 1u);
  EXPECT_FALSE(request.walks.simple);
  EXPECT_GE(request.walks.by_libgcc.depth, 4u);
}

TEST_F(FrameWalkTest, EndsAtCodeOfNoImage) {
  FrameRegisters nowhere = {0x10, 0, 0, 0};
  uintptr_t stack[8] = {};
  nowhere.sp = reinterpret_cast<uintptr_t>(stack);
  uintptr_t pcs[4] = {};
  FrameSink sink = {pcs, 4, 0};
  EXPECT_TRUE(walk_frames(cache_, nowhere, &sink));
  EXPECT_EQ(sink.depth, 1u);
  EXPECT_EQ(pcs[0], 0x10u);
}

// The function of the vDSO that tells the time, as the C library calls it.
TEST_F(FrameWalkTest, EveryInstructionOfTheVdsoHasARuleOrIsLeftToLibgcc) {
  const uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
  if (vdso == 0) GTEST_SKIP() << "no vDSO";
  UnwindModule module;
  ASSERT_TRUE(find_unwind_module(vdso, &module));
  unsigned simple = 0;
  for (uintptr_t pc = module.start; pc < module.end; pc++) {
    const DerivedRule derived = derive_rule(module, pc);
    simple += derived.fde_bytes != 0 && derived.rule.cfa == CfaRule::kSp;
  }
  EXPECT_GT(simple, 100u);
}

__attribute__((noinline)) void ruined_frame(RuleCache& cache, FrameSink* sink, uintptr_t fp) {
  void* const memory =
      alloca(fp % 64 + 16);  // of a length known only now: the CFA hangs on the frame pointer
  __asm__ volatile("" ::"r"(memory) : "memory");
  FrameRegisters here;
  LIBALLOC_CAPTURE_REGISTERS(here);
  here.fp = fp;
  EXPECT_TRUE(walk_frames(cache, here, sink));
}

TEST_F(FrameWalkTest, NeverFollowsAFramePointerThatLeadsOutOfTheStack) {
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  for (const uintptr_t fp : {uintptr_t{0}, uintptr_t{8}, here + 4, here - 65536,
                             here + (uintptr_t{1} << 40), ~uintptr_t{0}, ~uintptr_t{7}}) {
    uintptr_t pcs[kMaxStackDepth];
    FrameSink sink = {pcs, kMaxStackDepth, 0};
    ruined_frame(cache_, &sink, fp);
    EXPECT_GE(sink.depth, 1u);
    EXPECT_FALSE(sink.truncated);
  }
}

}  // namespace
}  // namespace liballoc
