// heap_test.cc - the lists of a class, made ready when somebody first asks for them.
#include "liballoc/heap/heap.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace liballoc {
namespace {

TEST(HeapTest, ThreadsThatAskFirstForAClassAtOnceAllFindItReady) {
  constexpr unsigned kThreads = 4;
  const auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  for (unsigned c = 1; c < kSizeClasses; c++) {
    std::atomic<unsigned> waiting{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < kThreads; t++) {
      threads.emplace_back([&] {
        waiting++;
        while (waiting.load() != kThreads) {
        }
        void* slot = nullptr;
        bool zero = false;
        ASSERT_EQ(heap->central(c).take_slots(&slot + 1, 1, &zero), 1u);
        BadFree bad = BadFree::kNone;
        ASSERT_EQ(heap->transfer(c).give(&slot, 1, &bad), 1u);
        ASSERT_EQ(bad, BadFree::kNone);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(heap->transfer(c).size(), kThreads) << "class " << c;
  }
  heap->drain_transfers(true);
  EXPECT_EQ(heap->transfer_bytes(), 0u);
  heap->verify();
}

TEST(HeapTest, AForkThatComesBeforeAClassWasAskedForLeavesItUsable) {
  const auto heap = std::make_unique<Heap>();
  ASSERT_TRUE(heap->init(0));
  heap->central(3);  // one that is ready, beside those that are not
  heap->lock_for_fork();
  heap->unlock_after_fork(false);
  for (const unsigned c : {3u, 4u}) {
    void* slot = nullptr;
    bool zero = false;
    ASSERT_EQ(heap->central(c).take_slots(&slot + 1, 1, &zero), 1u);
    BadFree bad = BadFree::kNone;
    EXPECT_EQ(heap->central(c).free_slots(&slot, 1, &bad), 1u);
  }
  heap->verify();
}

}  // namespace
}  // namespace liballoc
