// handoff.cc - producers allocate, consumers free: every object is freed by a thread that did not make it.
// Objects travel in batches through one bounded queue, as work items do between the threads of a server.

#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

constexpr std::size_t kBatch = 128;
constexpr std::size_t kQueueLimit = 64;

// The batch itself is an object that is made by one thread and freed by another.
struct Batch {
  void* object[kBatch];
  std::uint32_t size[kBatch];
  std::uint64_t tag;
};

class Queue {
 public:
  void push(Batch* batch) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return batches_.size() < kQueueLimit; });
    batches_.push_back(batch);
    lock.unlock();
    not_empty_.notify_one();
  }

  // nullptr when all `total` batches have been taken.
  Batch* pop(std::uint64_t total) {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return !batches_.empty() || taken_ == total; });
    if (batches_.empty()) return nullptr;
    Batch* batch = batches_.front();
    batches_.pop_front();
    const bool last = ++taken_ == total;
    lock.unlock();
    not_full_.notify_one();
    if (last) not_empty_.notify_all();
    return batch;
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_full_, not_empty_;
  std::deque<Batch*> batches_;
  std::uint64_t taken_ = 0;
};

Batch* make(Random& random, std::uint64_t max) {
  Batch* batch = static_cast<Batch*>(std::malloc(sizeof(Batch)));
  if (batch == nullptr) out_of_memory(sizeof(Batch));
  batch->tag = random.next();
  for (std::size_t i = 0; i < kBatch; ++i) {
    batch->size[i] = static_cast<std::uint32_t>(random.log_uniform(16, max));
    batch->object[i] = std::malloc(batch->size[i]);
    stamp(batch->object[i], batch->size[i], batch->tag + i);
  }
  return batch;
}

std::uint64_t consume(Batch* batch) {
  const std::uint64_t sum = mix(batch->tag);
  for (std::size_t i = 0; i < kBatch; ++i) {
    check_stamp(batch->object[i], batch->size[i], batch->tag + i);
    std::free(batch->object[i]);
  }
  std::free(batch);
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"pairs", 1, 1, 128}, {"batches", 160000, 1, 1000000000}, {"max", 512, 32, 1048576}});
  const std::uint64_t pairs = parameters["pairs"], max = parameters["max"];
  if ((max & (max - 1)) != 0) {
    std::fprintf(stderr, "error: --max %llu is not a power of two\n", static_cast<unsigned long long>(max));
    return 2;
  }
  const std::uint64_t each = parameters.work(parameters["batches"], 10 * pairs) / pairs;
  Queue queue;
  std::vector<std::uint64_t> sums(pairs);
  run_threads(2 * pairs, [&](std::uint64_t i) {
    if (i < pairs) {
      Random random(i + 1);
      for (std::uint64_t n = 0; n < each; ++n) queue.push(make(random, max));
    } else {
      std::uint64_t sum = 0;
      while (Batch* batch = queue.pop(each * pairs)) sum += consume(batch);
      sums[i - pairs] = sum;
    }
  });
  std::uint64_t sum = 0;
  for (std::uint64_t part : sums) sum += part;
  return finish(sum);
}
