// random_operations_test.cc - threads that allocate, resize, check, hand over and free at random, for every sanitizer.
#include <gtest/gtest.h>

#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "liballoc/core/allocator.h"

namespace liballoc {
namespace {

struct Object {
  unsigned char* p;
  size_t bytes;
  unsigned char fill;
  bool intact() const {
    for (size_t i = 0; i < bytes; i += 13) {
      if (p[i] != fill) return false;
    }
    return bytes == 0 || p[bytes - 1] == fill;
  }
};

class Exchange {  // objects that one thread made and another will free
 public:
  void give(Object o) {
    std::lock_guard<std::mutex> hold(lock_);
    objects_.push_back(o);
  }
  bool take(unsigned pick, Object* out) {
    std::lock_guard<std::mutex> hold(lock_);
    if (objects_.empty()) return false;
    std::swap(objects_[pick % objects_.size()], objects_.back());
    *out = objects_.back();
    objects_.pop_back();
    return true;
  }

 private:
  std::mutex lock_;
  std::vector<Object> objects_;
};

size_t random_size(std::mt19937& random) {
  const unsigned kind = random() % 100;
  if (kind < 80) return random() % 1024;
  if (kind < 97) return random() % 40000;
  return random() % 2000000;
}

void run(unsigned seed, int steps, Exchange* exchange) {
  std::mt19937 random(seed);
  std::vector<Object> mine;
  const auto make = [&] {
    const size_t bytes = random_size(random);
    const size_t align = random() % 4 == 0 ? size_t{1} << (random() % 14) : 8;
    const bool zero = random() % 4 == 0;
    auto* p = static_cast<unsigned char*>(
        random() % 2 == 0 && align == 8 && !zero ? allocate(bytes)
                                                 : allocate_general({bytes, align, random() % 8 == 0, zero}));
    ASSERT_NE(p, nullptr);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(p) % align, 0u);
    if (zero) {
      for (size_t i = 0; i < bytes; i++) ASSERT_EQ(p[i], 0);
    }
    const auto fill = static_cast<unsigned char>(random());
    memset(p, fill, bytes);
    mine.push_back({p, bytes, fill});
  };
  for (int step = 0; step < steps; step++) {
    const unsigned op = random() % 16;
    if (mine.empty() || op < 7) {
      make();
      continue;
    }
    std::swap(mine[random() % mine.size()], mine.back());
    ASSERT_TRUE(mine.back().intact());
    if (op < 13) {
      release(mine.back().p);
      mine.pop_back();
    } else if (op < 15) {
      exchange->give(mine.back());
      mine.pop_back();
      Object other;
      if (exchange->take(random(), &other)) mine.push_back(other);
    } else {
      Object foreign;
      if (exchange->take(random(), &foreign)) {
        ASSERT_TRUE(foreign.intact());
        release(foreign.p);
      }
    }
  }
  for (const Object& o : mine) {
    ASSERT_TRUE(o.intact());
    release(o.p);
  }
}

TEST(RandomOperationsStress, ContentsSurviveAndTheHeapStaysSound) {
  for (unsigned round = 0; round < 3; round++) {
    Exchange exchange;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 6; t++) threads.emplace_back(run, round * 100 + t, 8000, &exchange);
    for (std::thread& t : threads) t.join();
    Object left;
    while (exchange.take(0, &left)) {
      ASSERT_TRUE(left.intact());
      release(left.p);
    }
    g_heap.verify();
  }
}

TEST(RandomOperationsStress, ThreadsThatEndWhileOthersFreeTheirObjects) {
  Exchange exchange;
  std::thread consumer([&] {
    unsigned freed = 0;
    while (freed < 20000) {
      Object o;
      if (!exchange.take(freed, &o)) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_TRUE(o.intact());
      release(o.p);
      freed++;
    }
  });
  for (unsigned round = 0; round < 200; round++) {
    std::thread([&] {
      for (unsigned i = 0; i < 100; i++) {
        const size_t bytes = 16 + (round * 7 + i * 31) % 5000;
        auto* p = static_cast<unsigned char*>(allocate(bytes));
        memset(p, static_cast<int>(i), bytes);
        exchange.give({p, bytes, static_cast<unsigned char>(i)});
      }
    }).join();
  }
  consumer.join();
  g_heap.verify();
}

}  // namespace
}  // namespace liballoc
