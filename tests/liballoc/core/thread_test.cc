// thread_test.cc - a thread's record and its block in the segment: kept together, counted in wherever hits cannot be, and not
// shared with the child of a fork.
#include "liballoc/core/thread.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "liballoc/base/syscall.h"
#include "liballoc/core/allocator.h"
#include "tests/liballoc/refused_call.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

#if !LIBALLOC_TSAN  // forks of threaded programs make it wait

namespace liballoc {
namespace {

constexpr int kSkipped = 77;

// A child in which the library runs with a segment of its own.
template <typename Body>
int in_process_with_segment(Body body) {
  const TempDir directory;
  const pid_t child = fork();
  if (child == 0) {
    const std::string where = "LIBALLOC_SHM_DIR=" + directory.path();
    const char* const environment[] = {where.c_str(), nullptr};
    runtime_start_telemetry({environment, nullptr, 0});
    _exit(g_segment.active() ? body() : 99);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

uint64_t mallocs_of_100_bytes(const liballoc_abi_thread* block) {
  return counted_mallocs(block->classes[size_to_class(100)]);
}

void take_and_free(int n) {
  for (int i = 0; i < n; i++) release(allocate(100));
}

TEST(ThreadTest, HitsCountInTheBlockThatReadersSee) {
  EXPECT_EQ(in_process_with_segment([] {
              take_and_free(5);
              if (t_thread == nullptr || t_cache != t_thread->heap.cache) return 1;
              if (t_thread->segment_block == nullptr || t_thread->segment_block->tid != t_thread->tid) return 2;
              const uint64_t before = mallocs_of_100_bytes(t_thread->segment_block);
              take_and_free(1000);
              return mallocs_of_100_bytes(t_thread->segment_block) == before + 1000 ? 0 : 3;
            }),
            0);
}

TEST(ThreadTest, OneThreadAfterTheOtherUsesOneBlock) {
  EXPECT_EQ(in_process_with_segment([] {
              std::set<const liballoc_abi_thread*> blocks;
              uint64_t mallocs = 0;
              for (int i = 0; i < 50; i++) {
                std::thread([&] {
                  take_and_free(10);
                  blocks.insert(t_thread->segment_block);
                  mallocs = mallocs_of_100_bytes(t_thread->block);
                }).join();
              }
              if (blocks.size() != 1) return 1;
              if ((*blocks.begin())->threads != 50 || (*blocks.begin())->tid != 0) return 2;
              return mallocs == 500 ? 0 : 3;
            }),
            0);
}

TEST(ThreadTest, AThreadWhoseBlockCannotBeViewedCountsAllTheSame) {
  const int code = in_process_with_segment([] {
    if (!refuse_call(SYS_mremap, EINVAL)) return kSkipped;
    if (unlink(g_segment.path()) != 0) return 1;
    int wrong = 0;
    std::thread([&] {
      take_and_free(1000);
      if (t_cache == t_thread->heap.cache) wrong = 2;  // no hit may run
      if (t_thread->block != t_thread->segment_block) wrong = 3;
      if (mallocs_of_100_bytes(t_thread->block) != 1000) wrong = 4;
      if (t_thread->block->classes[size_to_class(100)].frees != 1000) wrong = 5;
    }).join();
    g_heap.verify();
    return wrong;
  });
  if (code == kSkipped) GTEST_SKIP() << "no system call can be refused here";
  EXPECT_EQ(code, 0);
}

TEST(ThreadTest, AChildCountsNothingInItsParentsBlockWhetherForkTellsOfItOrNot) {
  for (const bool raw : {false, true}) {
    EXPECT_EQ(in_process_with_segment([raw] {
                take_and_free(100);
                const liballoc_abi_thread* const block = t_thread->block;
                const uint64_t before = mallocs_of_100_bytes(block);
                const long child = raw ? sys::raw_syscall(SYS_clone, SIGCHLD) : fork();
                if (child == 0) {
                  take_and_free(100);
                  if (t_cache != t_thread->heap.cache) _exit(1);
                  sys::raw_syscall(SYS_exit_group, 0);
                }
                int status = 0;
                if (waitpid(static_cast<pid_t>(child), &status, 0) != child || status != 0) return 1;
                return mallocs_of_100_bytes(block) == before ? 0 : 2;
              }),
              0)
        << (raw ? "raw" : "fork");
  }
}

TEST(ThreadTest, AChildWhoseRegionSomebodyMappedIntoGoesOnWithAnotherOne) {
  EXPECT_EQ(in_process_with_segment([] {
              take_and_free(100);
              std::vector<void*> mine;
              for (int i = 0; i < 100; i++) mine.push_back(allocate(100));
              const ThreadCache* const before = t_thread->heap.cache;
              void* const hole = t_thread->heap.view;
              const long child = sys::raw_syscall(SYS_clone, SIGCHLD);
              if (child == 0) {
                if (mmap(hole, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != hole) _exit(1);
                take_and_free(100);
                for (void* p : mine) release(p);
                if (t_thread->heap.cache == before || t_cache != t_thread->heap.cache) _exit(2);
                g_heap.verify();
                sys::raw_syscall(SYS_exit_group, 0);
              }
              int status = 0;
              if (waitpid(static_cast<pid_t>(child), &status, 0) != child) return 9;
              return WEXITSTATUS(status);
            }),
            0);
}

}  // namespace
}  // namespace liballoc

#endif
