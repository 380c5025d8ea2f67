// distance.cc - how far apart the first two processors lie: ns in which two threads, one on each, pass a word to and fro once. Not a
// workload: on a virtual machine the figure changes by itself, and what moves between threads costs accordingly.
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "tests/bench/bench.h"

namespace {

bool pin(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(processor), &set);
  return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

alignas(128) std::atomic<std::uint64_t> g_word{0};  // odd: the second thread's turn; its value orders nothing else

void wait_for(std::uint64_t value) {
  while (g_word.load(std::memory_order_relaxed) != value) continue;
}

}  // namespace

int main(int argc, char** argv) {
  const liballoc::bench::Parameters parameters(argc, argv, {{"rounds", 200000, 1, 100000000}});
  const std::uint64_t rounds = parameters.work(parameters["rounds"]);
  if (!pin(0)) {
    std::fprintf(stderr, "error: this process may not run on processor 0\n");
    return 1;
  }
  std::atomic<bool> pinned{true};
  const auto start = std::chrono::steady_clock::now();
  std::thread other([rounds, &pinned] {
    pinned = pin(1);
    for (std::uint64_t i = 0; i < rounds; i++) {
      wait_for(2 * i + 1);
      g_word.store(2 * i + 2, std::memory_order_relaxed);
    }
  });
  for (std::uint64_t i = 0; i < rounds; i++) {
    g_word.store(2 * i + 1, std::memory_order_relaxed);
    wait_for(2 * i + 2);
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  other.join();
  if (!pinned) {
    std::fprintf(stderr, "error: this process may not run on processor 1\n");
    return 1;
  }
  std::printf("ns to and fro %.0f\n", took.count() / static_cast<double>(rounds));
  return 0;
}
