// known_heap.cc - holds a known number of objects of a known size per function, then waits to be
// looked at.
//
// The objects are never touched and never freed but by churn(): what lives is a matter of counting.
// Must stay compiled so that each function below keeps a frame of its own (see CMakeLists.txt).
// Protocol: "held <function> <objects> <requested bytes each> <usable bytes each> <freed objects>"
// lines, then "rest 0".
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

volatile uintptr_t sink;  // what the compiler cannot see through

void* take(size_t bytes) {
  void* object = std::malloc(bytes);
  if (object == nullptr) {
    std::perror("known_heap");
    _exit(3);
  }
  sink = reinterpret_cast<uintptr_t>(object);
  return object;
}

void say(const char* function, uint64_t objects, size_t bytes, void* object, uint64_t freed) {
  char line[160];
  const int n = std::snprintf(line, sizeof line, "held %s %llu %zu %zu %llu\n", function,
                              static_cast<unsigned long long>(objects), bytes,
                              malloc_usable_size(object), static_cast<unsigned long long>(freed));
  (void)!write(STDOUT_FILENO, line, static_cast<size_t>(n));
}

}  // namespace

// Not in a namespace: their names are looked for in the profile. Each allocates in its own loop.
#define HOLD(function, objects, bytes)                           \
  extern "C" [[gnu::noinline, gnu::used]] void* function() {     \
    void* last = nullptr;                                        \
    for (uint64_t i = 0; i < (objects); ++i) last = take(bytes); \
    sink = 0;                                                    \
    return last;                                                 \
  }

constexpr uint64_t kSmall = 4000000, kOdd = 300000, kMedium = 200000, kLarge = 600, kHuge = 5,
                   kChurned = 100000;
constexpr uint64_t kPerThread = 60000;
constexpr int kThreads = 4;

HOLD(hold_small, kSmall, 48)
HOLD(hold_odd, kOdd, 600)
HOLD(hold_medium, kMedium, 1000)
HOLD(hold_large, kLarge, 300000)
HOLD(hold_huge, kHuge, 8388608)
HOLD(hold_in_threads, kPerThread, 800)

extern "C" [[gnu::noinline, gnu::used]] void* churn() {
  for (uint64_t i = 1; i < kChurned; ++i) std::free(take(2000));
  void* last = take(2000);
  sink = 0;
  return last;
}

namespace {

void* thread_main(void* last) {
  *static_cast<void**>(last) = hold_in_threads();
  return nullptr;
}

}  // namespace

int main() {
  say("hold_small", kSmall, 48, hold_small(), 0);
  say("hold_odd", kOdd, 600, hold_odd(), 0);
  say("hold_medium", kMedium, 1000, hold_medium(), 0);
  say("hold_large", kLarge, 300000, hold_large(), 0);
  say("hold_huge", kHuge, 8388608, hold_huge(), 0);
  std::array<pthread_t, kThreads> threads;
  std::array<void*, kThreads> last;
  for (size_t i = 0; i < threads.size(); ++i) {
    if (pthread_create(&threads[i], nullptr, thread_main, &last[i]) != 0) return 3;
  }
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  say("hold_in_threads", kThreads * kPerThread, 800, last[0], 0);
  void* churned = churn();
  say("churn", kChurned, 2000, churned, kChurned);
  std::free(churned);
  (void)!write(STDOUT_FILENO, "rest 0\n", 7);
  char byte;
  return read(STDIN_FILENO, &byte, 1) == 1 ? 0 : 3;
}
