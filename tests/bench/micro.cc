// micro.cc - micro loops: nanoseconds per malloc+free pair by size and by the order in which objects are freed.
// imm: freed at once. fifo, lifo, rand: a batch of live objects is freed in that order. xthr: freed by another thread.

#include <time.h>

#include <algorithm>
#include <atomic>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

// Processor time for one thread, so that other programs do not count; wall time where two threads wait for each other.
double now(clockid_t clock = CLOCK_PROCESS_CPUTIME_ID) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

enum class Order { kFifo, kLifo, kRandom };

void* make(std::size_t size) {
  void* object = std::malloc(size);
  if (object == nullptr) out_of_memory(size);
  *static_cast<volatile unsigned char*>(object) = 1;  // a program writes to what it has asked for
  return object;
}

double immediately(std::size_t size, std::uint64_t pairs) {
  const double start = now();
  for (std::uint64_t i = 0; i < pairs; ++i) {
    void* object = make(size);
    keep(object);
    std::free(object);
  }
  return (now() - start) / static_cast<double>(pairs);
}

double in_batches(std::size_t size, std::uint64_t pairs, Order order) {
  const std::size_t live = size >= (1u << 20) ? 100 : 1000;
  std::vector<std::uint32_t> sequence(live);
  for (std::size_t i = 0; i < live; ++i)
    sequence[i] = static_cast<std::uint32_t>(order == Order::kLifo ? live - 1 - i : i);
  Random random(23);
  if (order == Order::kRandom)
    for (std::size_t i = live - 1; i > 0; --i) std::swap(sequence[i], sequence[random.below(i + 1)]);
  std::vector<void*> objects(live);
  const std::uint64_t batches = (pairs + live - 1) / live;
  const double start = now();
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    for (void*& object : objects) object = make(size);
    for (const std::uint32_t i : sequence) std::free(objects[i]);
  }
  return (now() - start) / static_cast<double>(batches * live);
}

double across_threads(std::size_t size, std::uint64_t pairs) {
  constexpr std::size_t kBatch = 256, kRing = 4;
  static void* ring[kRing][kBatch];
  std::atomic<std::uint64_t> made{0}, used{0};
  const std::uint64_t batches = (pairs + kBatch - 1) / kBatch;
  const double start = now(CLOCK_MONOTONIC);
  std::thread consumer([&] {
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
      // Acquire: the pointers of the batch were stored before the release of `made`.
      while (made.load(std::memory_order_acquire) == batch) std::this_thread::yield();
      for (void* object : ring[batch % kRing]) std::free(object);
      used.store(batch + 1, std::memory_order_release);
    }
  });
  for (std::uint64_t batch = 0; batch < batches; ++batch) {
    // Acquire: the consumer has read the batch that is about to be overwritten.
    while (batch - used.load(std::memory_order_acquire) >= kRing) std::this_thread::yield();
    for (void*& object : ring[batch % kRing]) object = make(size);
    made.store(batch + 1, std::memory_order_release);
  }
  consumer.join();
  return (now(CLOCK_MONOTONIC) - start) / static_cast<double>(batches * kBatch);
}

}  // namespace

int main(int argc, char** argv) {
  // --pattern 1..5 and --size measure one pattern or one size alone, for profiles and instruction counts.
  const Parameters parameters(argc, argv,
                              {{"rounds", 3, 1, 1000},
                               {"pairs", 1000000, 1, 1000000000},
                               {"pattern", 0, 0, 5},
                               {"size", 0, 0, 1u << 30}});
  const std::size_t sizes[] = {16, 64, 256, 1024, 8192, 32768, 65536, 1048576};
  const char* const patterns[] = {"imm", "fifo", "lifo", "rand", "xthr"};
  constexpr std::size_t kSizes = sizeof(sizes) / sizeof(sizes[0]), kPatterns = sizeof(patterns) / sizeof(patterns[0]);
  double best[kPatterns][kSizes];
  std::uint64_t pairs_done = 0;
  const auto wanted = [&](std::size_t pattern, std::size_t size) {
    return (parameters["pattern"] == 0 || parameters["pattern"] == pattern + 1) &&
           (parameters["size"] == 0 || parameters["size"] == sizes[size]);
  };
  for (auto& row : best) std::fill(std::begin(row), std::end(row), 1e30);
  for (std::uint64_t round = 0; round < parameters["rounds"]; ++round) {
    for (std::size_t p = 0; p < kPatterns; ++p) {
      for (std::size_t s = 0; s < kSizes; ++s) {
        if (!wanted(p, s)) continue;
        // Fewer where a pair can cost microseconds.
        const std::uint64_t shrink = sizes[s] <= 1024 ? 1 : sizes[s] <= 65536 ? 16 : 100;
        const std::uint64_t pairs = parameters.work(parameters["pairs"] / shrink, 1000);
        const double ns = p == 0   ? immediately(sizes[s], pairs)
                          : p == 4 ? across_threads(sizes[s], pairs)
                                   : in_batches(sizes[s], pairs, static_cast<Order>(p - 1));
        best[p][s] = std::min(best[p][s], ns);
        pairs_done += pairs;
      }
    }
  }
  for (std::size_t p = 0; p < kPatterns; ++p)
    for (std::size_t s = 0; s < kSizes; ++s)
      if (wanted(p, s)) std::printf("ns %s %zu %.2f\n", patterns[p], sizes[s], best[p][s]);
  return finish(mix(pairs_done));
}
