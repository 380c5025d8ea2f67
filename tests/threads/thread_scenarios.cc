// thread_scenarios.cc - threads that are small, short-lived, many, or end while others still use what they allocated.
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/threads/scenario.h"

namespace scenario {

namespace {

// Recursion of a size that the smallest stack bears without an allocator; every level allocates.
__attribute__((noinline)) void allocate_at_depth(int depth, uint64_t stamp) {
  Block block = make_block(static_cast<size_t>(24 + depth * 40), stamp);
  if (depth > 0) allocate_at_depth(depth - 1, stamp * 3 + 1);
  end_block(block);
}

void* small_stack_thread(void* argument) {
  const auto seed = reinterpret_cast<uintptr_t>(argument);
  for (uint64_t i = 0; i < 50; i++) allocate_at_depth(4, seed * 1000 + i);
  Block large = make_block(100000, seed);
  void* aligned = nullptr;
  CHECK(posix_memalign(&aligned, 4096, 5000) == 0);
  free(aligned);
  end_block(large);
  return nullptr;
}

}  // namespace

void small_stacks() {
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes, static_cast<size_t>(PTHREAD_STACK_MIN)) == 0);
  for (uintptr_t round = 0; round < 20; round++) {
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) {
      CHECK(pthread_create(&threads[i], &attributes, small_stack_thread, reinterpret_cast<void*>(round * 4 + i)) == 0);
    }
    for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
  }
  pthread_attr_destroy(&attributes);
}

void short_threads() {
  // Eight at a time, so that the pool of thread records is used and reused concurrently.
  const auto batch = [](uint64_t seed) {
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < 8; i++) threads.emplace_back([seed, i] { churn(seed * 8 + i, 60, 16); });
    for (std::thread& thread : threads) thread.join();
  };
  uint64_t seed = 0;
  for (; seed < 250; seed++) batch(seed);  // two thousand: whatever warms up is warm
  const long resident = resident_kib();
  const std::vector<std::string> own = segments(getpid());
  const uint64_t backed = own.empty() ? 0 : backed_bytes_of(own[0]);
  for (; seed < 1500; seed++) batch(seed);
  const long growth = resident_kib() - resident;
  constexpr long kRingKib = 1024;  // the segment's ring is backed as far as it was written: each thread writes two records
  if (growth > 1024 + kRingKib) fprintf(stderr, "%ld KiB before, %ld KiB more after\n", resident, growth);
  CHECK(growth <= 1024 + kRingKib);
  if (own.empty()) return;
  CHECK(backed > 0);
  // One more extent of the stack or sample tables may come at any time, a record for every thread may not.
  CHECK(backed_bytes_of(own[0]) <= backed + (256 << 10) + (kRingKib << 10));
}

namespace {

pthread_key_t g_key, g_other_key;
std::atomic<int> g_rounds{0}, g_other_rounds{0};

// Allocates anew in every round, so that the value is never null until glibc gives up.
void destroy_value(void* value) {
  g_rounds++;
  free(value);
  churn(11, 100, 8);
  CHECK(pthread_setspecific(g_key, make_block(200, 3).data) == 0);
}

void destroy_other_value(void* value) {
  Block block = {static_cast<unsigned char*>(value), 5000, 7};
  end_block(block);
  if (g_other_rounds++ % 2 == 0) CHECK(pthread_setspecific(g_other_key, make_block(5000, 7).data) == 0);
}

}  // namespace

void key_destructors() {
  // Keys made before the first thread and so, in part, before the allocator's own; later ones come after it.
  CHECK(pthread_key_create(&g_key, destroy_value) == 0);
  CHECK(pthread_key_create(&g_other_key, destroy_other_value) == 0);
  constexpr int kThreads = 200;
  // A value that no round freed is the program's leak: at most one block per thread.
  for (int i = 0; i < kThreads; i++) {
    std::thread([] {
      CHECK(pthread_setspecific(g_key, malloc(100)) == 0);
      CHECK(pthread_setspecific(g_other_key, make_block(5000, 7).data) == 0);
      churn(4, 50, 8);
    }).join();
  }
  CHECK(g_rounds.load() == kThreads * PTHREAD_DESTRUCTOR_ITERATIONS);
  CHECK(g_other_rounds.load() == kThreads * 2);
  churn(12, 10000);
}

namespace {

std::atomic<int> g_destroyed{0};

struct Late {
  std::vector<std::unique_ptr<std::string>> strings;
  void fill(int n) {
    for (int i = 0; i < n; i++) strings.push_back(std::make_unique<std::string>(static_cast<size_t>(10 + i * 7), 'x'));
  }
  ~Late() {
    strings.clear();
    churn(21, 200, 16);
    fill(50);
    for (const auto& s : strings) CHECK(s->find_first_not_of('x') == std::string::npos);
    g_destroyed++;
  }
};

thread_local Late t_late;

}  // namespace

void thread_local_destructors() {
  for (int round = 0; round < 50; round++) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) threads.emplace_back([] { t_late.fill(100); });
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(g_destroyed.load() == 200);
  t_late.fill(10);  // the main thread's runs when the program ends
}

void owners_exit_first() {
  // Makers allocate and end at once; takers check and free what they made, while makers still run and after they ended.
  constexpr int kMakers = 300, kTakers = 3;
  std::mutex lock;
  std::vector<Block> shelf;
  std::atomic<bool> made_all{false};
  std::atomic<size_t> made{0}, taken{0};
  std::vector<std::thread> takers;
  for (int t = 0; t < kTakers; t++) {
    takers.emplace_back([&] {
      while (true) {
        const bool last_look = made_all.load();
        std::vector<Block> mine;
        {
          const std::lock_guard<std::mutex> hold(lock);
          mine.swap(shelf);
        }
        if (mine.empty() && last_look) return;
        if (mine.empty()) sched_yield();
        for (Block& block : mine) end_block(block);
        taken += mine.size();
      }
    });
  }
  for (int m = 0; m < kMakers; m += 3) {
    std::vector<std::thread> makers;
    for (int i = 0; i < 3; i++) {
      makers.emplace_back([&, seed = static_cast<uint64_t>(m + i)] {
        Sizes sizes(seed);
        std::vector<Block> blocks;
        for (int n = 0; n < 400; n++) {
          blocks.push_back(make_block(sizes.next(), sizes.number()));
          if (blocks.size() < 20 && n != 399) continue;
          made += blocks.size();
          const std::lock_guard<std::mutex> hold(lock);
          shelf.insert(shelf.end(), blocks.begin(), blocks.end());
          blocks.clear();
        }
      });
    }
    for (std::thread& maker : makers) maker.join();
  }
  made_all = true;
  for (std::thread& taker : takers) taker.join();
  CHECK(made.load() == kMakers * 400u);
  CHECK(taken.load() == made.load());
}

}  // namespace scenario
