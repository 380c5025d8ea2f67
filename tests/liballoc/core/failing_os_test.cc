// failing_os_test.cc - every call by which the allocator asks the OS for anything, refused in turn, while a program of two threads
// allocates, resizes and frees objects of every kind. Shows: null instead of a crash, what was given out stays whole, and when
// memory is back so is everything else, without a page lost.
// Each refusal has a process of its own, so that it meets the allocator as it starts.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/core/large_objects.h"
#include "liballoc/os/os.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

std::atomic<int> g_calls{0};  // of the OS so far; relaxed, a count
int g_first = 0, g_last = 0;  // calls of these numbers are refused; set while there is one thread

bool refused() {
  const int number = g_calls.fetch_add(1, std::memory_order_relaxed);
  return number >= g_first && number <= g_last;
}

constexpr long kNoMemory = -12;
constexpr OsOps kRefusing = {
    [](void* hint, size_t n, void** out) -> long { return refused() ? kNoMemory : kLinuxOs.reserve(hint, n, out); },
    [](void* at, size_t n) -> long { return refused() ? kNoMemory : kLinuxOs.map(at, n); },
    [](size_t n, void** out) -> long { return refused() ? kNoMemory : kLinuxOs.alloc(n, out); },
    [](void* at, size_t n) -> long { return kLinuxOs.unmap(at, n); },
    [](void* at, size_t n) -> long { return refused() ? kNoMemory : kLinuxOs.release(at, n); },
    [](void* at, size_t n) -> long { return kLinuxOs.protect_none(at, n); },
    [](void* at, size_t n, bool wanted) -> long { return refused() ? kNoMemory : kLinuxOs.dump(at, n, wanted); },
    [](void* at, size_t n) -> long { return refused() ? kNoMemory : kLinuxOs.fill(at, n); },
    // Of every other page of the heap refused: nothing depends on it.
    [](void* at, size_t n) -> long { return (reinterpret_cast<uintptr_t>(at) / kPageBytes) % 2 != 0 ? -12 : kLinuxOs.populate(at, n); }};

struct Object {
  unsigned char* p;
  size_t bytes;
  unsigned char mark;
};

// Exit codes of a run.
constexpr int kFine = 0, kNotReached = 1, kDamaged = 2, kNotBack = 3, kPagesLost = 4, kObjectsLost = 5, kNotZero = 6;

// Both ends and some places between them: touching every page would take minutes.
size_t stride_of(size_t bytes) { return bytes < 65536 ? 509 : bytes / 16; }

void fill(const Object& o) {
  for (size_t i = 0; i < o.bytes; i += stride_of(o.bytes)) o.p[i] = o.mark;
  if (o.bytes != 0) o.p[o.bytes - 1] = o.mark;
}

bool whole(const Object& o) {
  for (size_t i = 0; i < o.bytes; i += stride_of(o.bytes)) {
    if (o.p[i] != o.mark) return false;
  }
  return o.bytes == 0 || o.p[o.bytes - 1] == o.mark;
}

// Allocates in every way there is. Returns how many requests were refused.
int work(std::vector<Object>& live) {
  int failures = 0;
  unsigned char mark = 1;
  const auto keep = [&](void* p, size_t bytes) {
    if (p == nullptr) {
      failures++;
      return;
    }
    live.push_back({static_cast<unsigned char*>(p), bytes, ++mark});
    fill(live.back());
  };
  for (const size_t bytes : {size_t{1}, size_t{8}, size_t{48}, size_t{240}, size_t{1000}, size_t{5000}, size_t{20000}, size_t{32768},
                             size_t{40000}, size_t{300000}, size_t{3} << 20, size_t{70} << 20}) {
    for (int i = 0; i < 6; i++) {
      if (bytes > (size_t{1} << 20) && i > 0) break;
      keep(allocate(bytes), bytes);
      if (bytes > size_t{64} << 20) break;  // across arenas: one will do
      keep(allocate_slow({bytes, 8, true, false}), bytes);
      void* zero = allocate_general({bytes, 64, false, true});
      for (size_t at = 0; zero != nullptr && at < bytes; at += stride_of(bytes)) {
        if (static_cast<unsigned char*>(zero)[at] != 0) _exit(kNotZero);
      }
      keep(zero, bytes);
    }
    if (bytes <= size_t{64} << 20) keep(allocate_general({bytes, size_t{1} << 16, false, false}), bytes);
    if (live.size() > 3) {
      Object& o = live[live.size() / 2];
      if (o.bytes > kMaxSmallBytes && resize_large(o.p, o.bytes * 2)) o.bytes *= 2, fill(o);
      const Object old = live[live.size() / 3];
      if (!whole(old)) _exit(kDamaged);
      live.erase(live.begin() + static_cast<ptrdiff_t>(live.size() / 3));
      release(old.p);
    }
  }
  return failures;
}

void check_and_free(std::vector<Object>& live) {
  for (const Object& o : live) {
    if (!whole(o)) _exit(kDamaged);
    release(o.p);
  }
  live.clear();
}

void give_everything_back() {
  void* p = allocate(8);  // the thread has a record
  if (p == nullptr) _exit(kNotBack);
  release(p);
  t_thread->in_slow = true;
  thread_give_all_back();
  t_thread->in_slow = false;
}

int run(int first, int last, const std::string& directory) {
  std::vector<Object> mine, others;
  g_first = first;
  g_last = last;
  g_calls = 0;
  set_os_ops_for_test(&kRefusing);
  const std::string dir = "LIBALLOC_SHM_DIR=" + directory;
  const char* const environment[] = {dir.c_str(), "LIBALLOC_SAMPLE_RATE=2000", nullptr};
  if (!directory.empty()) runtime_start_telemetry({environment, nullptr, 0});
  int failures = work(mine);
  std::thread([&] { failures += work(others); }).join();
  g_heap.pages().scavenge(SIZE_MAX, UINT64_MAX);
  set_os_ops_for_test(nullptr);
  if (g_calls <= first) return kNotReached;
  check_and_free(mine);
  check_and_free(others);
  if (work(mine) != 0) return kNotBack;
  check_and_free(mine);
  give_everything_back();
  g_heap.verify();
  if (g_heap.pages().stats().in_use != 0) return kPagesLost;
  uint64_t live_objects = 0;
  thread_visit_blocks(
      [](const liballoc_abi_thread* block, void* sum) {
        for (const auto& c : block->classes) *static_cast<uint64_t*>(sum) += counted_mallocs(c) - c.frees;
      },
      &live_objects);
  return live_objects == 0 ? kFine : kObjectsLost;
}

// In a process that has no heap yet.
int run_in_child(int first, int last, const std::string& directory) {
  const pid_t child = fork();
  if (child == 0) _exit(run(first, last, directory));
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status) << ", calls " << first << " to " << last << " refused";
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr int kMostCalls = 2000;

TEST(FailingOsTest, AnySingleRefusalIsSurvivedAndNothingIsLost) {
  int at = 0;
  for (; at < kMostCalls; at++) {
    const int result = run_in_child(at, at, "");
    if (result == kNotReached) break;
    ASSERT_EQ(result, kFine) << "call " << at << " refused";
  }
  EXPECT_GT(at, 20) << "the work must ask the OS for something";
  EXPECT_LT(at, kMostCalls);
}

TEST(FailingOsTest, RefusalsFromAnyCallOnAreSurvivedAndNothingIsLost) {
  for (int at = 0; at < kMostCalls; at++) {
    const int result = run_in_child(at, 1 << 30, "");
    if (result == kNotReached) break;
    ASSERT_EQ(result, kFine) << "calls from " << at << " on refused";
  }
}

TEST(FailingOsTest, WithTelemetryAnySingleRefusalIsSurvivedToo) {
  const TempDir directory;
  for (int at = 0; at < kMostCalls; at++) {
    const int result = run_in_child(at, at, directory.path());
    if (result == kNotReached) break;
    ASSERT_EQ(result, kFine) << "call " << at << " refused";
  }
}

}  // namespace
}  // namespace liballoc
