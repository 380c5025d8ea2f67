// hand_off_test.cc - each place where one thread hands memory to another, with both sides at it at the same time, for every
// sanitizer: remote frees against the owner's refill and sweep, against the owner's exit, batches between threads against
// draining, and fork against all of it. A slot that is handed out twice shows at once: each carries who has it.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"
#include "liballoc/heap/heap.h"
#include "liballoc/heap/thread_region.h"

namespace liballoc {
namespace {

constexpr unsigned kClass = 20;  // few slots to a span, so that spans change hands often

struct OwnHeap {
  OwnHeap() { ok = heap->init(LIBALLOC_TSAN ? 0 : kArenaHintCount); }
  std::unique_ptr<Heap> heap = std::make_unique<Heap>();
  bool ok = false;
};

std::atomic<int> g_wrong{0};  // relaxed: read after the threads were joined

// The first word of a slot is 1 while somebody has it. Relaxed would do: the slot's way from thread to thread orders it.
void claim(void* slot) {
  if (__atomic_exchange_n(static_cast<uint64_t*>(slot), uint64_t{1}, __ATOMIC_RELAXED) != 0) g_wrong++;
}
void yield_up(void* slot) {
  if (__atomic_exchange_n(static_cast<uint64_t*>(slot), uint64_t{0}, __ATOMIC_RELAXED) != 1) g_wrong++;
}

class Mailbox {
 public:
  void put(void* slot) {
    std::lock_guard<std::mutex> hold(lock_);
    slots_.push_back(slot);
  }
  std::vector<void*> empty() {
    std::lock_guard<std::mutex> hold(lock_);
    return std::move(slots_);
  }

 private:
  std::mutex lock_;
  std::vector<void*> slots_;
};

// One thread with a cache, as core/ has it.
class Owner {
 public:
  explicit Owner(Heap& heap) : heap_(heap), state_(std::make_unique<ThreadState>()) {
    if (!thread_region_init(*state_, stat_)) g_wrong++;
    thread_cache_reset_bins(*state_);
  }
  void* take() {
    Bin& bin = state_->cache->bins[kClass];
    bool zero = false;
    void* p = bin.top != bin.base ? *--bin.top : thread_cache_refill(heap_, *state_, kClass, &zero);
    if (p != nullptr) claim(p);
    return p;
  }
  void give(void* p) {
    yield_up(p);
    Bin& bin = state_->cache->bins[kClass];
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    if (bin.top == bin.limit && !thread_cache_make_room(heap_, *state_, kClass, &bad, &culprit)) g_wrong++;
    *bin.top++ = p;
  }
  void exit() {
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    if (!thread_cache_flush(heap_, *state_, &bad, &culprit)) g_wrong++;
  }

 private:
  Heap& heap_;
  RelaxedCounter stat_;
  std::unique_ptr<ThreadState> state_;
};

void free_directly(Heap& heap, void* p) {
  yield_up(p);
  BadFree bad = BadFree::kNone;
  if (heap.central(kClass).free_slots(&p, 1, &bad) != 1) g_wrong++;
}

// Everything back: no page may be in use any more.
void expect_empty(Heap& heap) {
  BadFree bad = BadFree::kNone;
  void* culprit = nullptr;
  heap.transfer(kClass).drain_all(&bad, &culprit);
  EXPECT_EQ(bad, BadFree::kNone);
  heap.verify();
  EXPECT_EQ(heap.pages().stats().in_use, 0u);
  EXPECT_EQ(g_wrong.load(), 0);
}

TEST(HandOffStress, RemoteFreesAgainstTheOwnersRefillAndSweep) {
  OwnHeap own;
  ASSERT_TRUE(own.ok);
  Mailbox mail;
  std::atomic<bool> done{false};
  std::vector<std::thread> freers;
  for (int i = 0; i < 3; i++) {
    freers.emplace_back([&] {
      while (!done.load(std::memory_order_acquire)) {
        for (void* p : mail.empty()) free_directly(*own.heap, p);
        std::this_thread::yield();
      }
    });
  }
  std::thread([&] {
    Owner owner(*own.heap);
    std::vector<void*> kept;
    for (int i = 0; i < 40000; i++) {
      void* p = owner.take();
      if (p == nullptr) {
        g_wrong++;
        break;
      }
      if (i % 3 == 0) kept.push_back(p);
      else mail.put(p);
      if (kept.size() > 100) {
        for (void* k : kept) owner.give(k);
        kept.clear();
      }
    }
    for (void* k : kept) owner.give(k);
    owner.exit();
  }).join();
  done.store(true, std::memory_order_release);
  for (std::thread& t : freers) t.join();
  for (void* p : mail.empty()) free_directly(*own.heap, p);
  expect_empty(*own.heap);
}

TEST(HandOffStress, RemoteFreesAgainstTheOwnersExit) {
  OwnHeap own;
  ASSERT_TRUE(own.ok);
  for (int round = 0; round < 300; round++) {
    std::vector<void*> theirs;
    std::barrier start(3);
    std::thread owner_thread([&] {
      Owner owner(*own.heap);
      for (int i = 0; i < 60 + round % 40; i++) theirs.push_back(owner.take());
      start.arrive_and_wait();
      owner.exit();
    });
    const auto free_half = [&](size_t from) {
      start.arrive_and_wait();
      for (size_t i = from; i < theirs.size(); i += 2) free_directly(*own.heap, theirs[i]);
    };
    std::thread even(free_half, 0), odd(free_half, 1);
    owner_thread.join();
    even.join();
    odd.join();
  }
  expect_empty(*own.heap);
}

TEST(HandOffStress, BatchesBetweenThreadsAgainstDraining) {
  OwnHeap own;
  ASSERT_TRUE(own.ok);
  Mailbox mail;
  std::atomic<bool> done{false};
  std::thread drainer([&] {
    while (!done.load(std::memory_order_acquire)) {
      BadFree bad = BadFree::kNone;
      void* culprit = nullptr;
      own.heap->transfer(kClass).drain_untouched(&bad, &culprit);
      if (bad != BadFree::kNone) g_wrong++;
      std::this_thread::yield();
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&, t] {
      Owner owner(*own.heap);
      for (int i = 0; i < 200; i++) {
        if (t % 2 == 0) {  // makers
          for (int n = 0; n < 150; n++) {
            if (void* p = owner.take()) mail.put(p);
            else g_wrong++;
          }
        } else {
          for (void* p : mail.empty()) owner.give(p);
        }
      }
      owner.exit();
    });
  }
  for (std::thread& t : threads) t.join();
  done.store(true, std::memory_order_release);
  drainer.join();
  Owner last(*own.heap);
  for (void* p : mail.empty()) last.give(p);
  last.exit();
  expect_empty(*own.heap);
}

#if !LIBALLOC_TSAN  // forks of threaded programs make it wait
TEST(HandOffStress, AForkAtAnyMomentLeavesTheChildASoundHeap) {
  ASSERT_TRUE(thread_start_heap());  // as the library's constructor does: until then fork() is not told of the heap
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  Mailbox mail;
  for (unsigned t = 0; t < 3; t++) {
    threads.emplace_back([&, t] {
      unsigned x = t + 1;
      while (!done.load(std::memory_order_acquire)) {
        std::thread([&] {  // short lives: attach and exit are under way at some forks
          for (int i = 0; i < 200; i++) {
            x = x * 1103515245 + 12345;
            const size_t bytes = x >> 30 == 0 ? (x >> 8) % 200000 : (x >> 8) % 3000;
            if (void* p = allocate(bytes)) mail.put(p);
            if (i % 50 == 0) {
              for (void* p : mail.empty()) release(p);
            }
          }
        }).join();
      }
    });
  }
  const int rounds = LIBALLOC_TEST_SANITIZED ? 50 : 150;  // a fork copies the sanitizer's shadow
  for (int round = 0; round < rounds; round++) {
    const pid_t child = fork();
    if (child == 0) {
      std::array<unsigned char*, 400> mine{};  // of ours: the test's own malloc may be in use by threads that are no more
      for (size_t i = 0; i < mine.size(); i++) {
        const size_t bytes = 1 + i * 97 % 50000;
        mine[i] = static_cast<unsigned char*>(allocate(bytes));
        if (mine[i] == nullptr) _exit(2);
        memset(mine[i], static_cast<int>(i), bytes);
      }
      for (size_t i = 0; i < mine.size(); i++) {
        if (mine[i][0] != static_cast<unsigned char>(i)) _exit(3);  // overlaps with another
        release(mine[i]);
      }
      g_heap.verify();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << "fork " << round;
  }
  done.store(true, std::memory_order_release);
  for (std::thread& t : threads) t.join();
  for (void* p : mail.empty()) release(p);
  g_heap.verify();
}
#endif

}  // namespace
}  // namespace liballoc
