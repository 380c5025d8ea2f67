// micro.cc - micro loops by Google Benchmark: nanoseconds per malloc+free pair by size and by the order in which objects are freed.
// imm: freed at once. fifo, lifo, rand: a batch of live objects is freed in that order; sized: as rand, by operator new and
// the delete that says the size. xthr: freed by another thread.
// Each loop runs a fixed number of times, so that every allocator does the same work; the least of the rounds is printed.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

constexpr std::size_t kBatch = 256, kRing = 4;  // of what another thread frees

void* make(std::size_t size) {
  void* object = std::malloc(size);
  if (object == nullptr) out_of_memory(size);
  *static_cast<volatile unsigned char*>(object) = 1;  // a program writes to what it has asked for
  return object;
}

std::size_t live_objects(std::size_t size) { return size >= (1u << 20) ? 100 : 1000; }

void immediately(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* object = make(size);
    benchmark::DoNotOptimize(object);
    std::free(object);
  }
}

enum class Order { kFifo, kLifo, kRandom };

// Numbers of objects, in the order in which they are to be freed.
std::vector<std::uint32_t> sequence_of(std::size_t live, Order order) {
  std::vector<std::uint32_t> sequence(live);
  for (std::size_t i = 0; i < live; ++i)
    sequence[i] = static_cast<std::uint32_t>(order == Order::kLifo ? live - 1 - i : i);
  Random random(23);
  if (order == Order::kRandom)
    for (std::size_t i = live - 1; i > 0; --i) std::swap(sequence[i], sequence[random.below(i + 1)]);
  return sequence;
}

void in_batches(benchmark::State& state, Order order) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> sequence = sequence_of(live_objects(size), order);
  std::vector<void*> objects(sequence.size());
  for (auto _ : state) {
    for (void*& object : objects) object = make(size);
    for (const std::uint32_t i : sequence) std::free(objects[i]);
  }
}

void by_size(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::vector<std::uint32_t> sequence = sequence_of(live_objects(size), Order::kRandom);
  std::vector<void*> objects(sequence.size());
  for (auto _ : state) {
    for (void*& object : objects) {
      object = ::operator new(size);
      *static_cast<volatile unsigned char*>(object) = 1;
    }
    for (const std::uint32_t i : sequence) ::operator delete(objects[i], size);
  }
}

void across_threads(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto batches = static_cast<std::uint64_t>(state.max_iterations);
  static void* ring[kRing][kBatch];
  std::atomic<std::uint64_t> made{0}, used{0};
  std::thread consumer([&] {
    for (std::uint64_t batch = 0; batch < batches; ++batch) {
      // Acquire: the pointers of the batch were stored before the release of `made`.
      while (made.load(std::memory_order_acquire) == batch) std::this_thread::yield();
      for (void* object : ring[batch % kRing]) std::free(object);
      used.store(batch + 1, std::memory_order_release);
    }
  });
  std::uint64_t batch = 0;
  for (auto _ : state) {
    // Acquire: the consumer has read the batch that is about to be overwritten.
    while (batch - used.load(std::memory_order_acquire) >= kRing) std::this_thread::yield();
    for (void*& object : ring[batch % kRing]) object = make(size);
    made.store(++batch, std::memory_order_release);
    if (batch == batches)
      while (used.load(std::memory_order_acquire) != batches) std::this_thread::yield();  // the last is timed to its end
  }
  consumer.join();
}

// Keeps the least time of each loop, in the order in which they first ran.
class LeastTimes : public benchmark::BenchmarkReporter {
 public:
  explicit LeastTimes(const std::map<std::string, std::uint64_t>& pairs) : pairs_(pairs) {}

  bool ReportContext(const Context&) override { return true; }

  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration) continue;
      const std::string name = run.run_name.function_name + " " + run.run_name.args;
      if (run.error_occurred) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), run.error_message.c_str());
        std::exit(1);
      }
      // Processor time for one thread, so that other programs do not count; wall time where two threads wait for each other.
      const bool two_threads = run.run_name.function_name == "xthr";
      const double seconds = two_threads ? run.real_accumulated_time : run.cpu_accumulated_time;
      const double ns = seconds * 1e9 / static_cast<double>(pairs_.at(name));
      const auto found = std::find_if(least_.begin(), least_.end(), [&](const auto& entry) { return entry.first == name; });
      if (found == least_.end()) least_.emplace_back(name, ns);
      else found->second = std::min(found->second, ns);
    }
  }

  void print() const {
    for (const auto& [name, ns] : least_) std::printf("ns %s %.2f\n", name.c_str(), ns);
  }

 private:
  const std::map<std::string, std::uint64_t>& pairs_;  // that one run of each loop makes
  std::vector<std::pair<std::string, double>> least_;
};

}  // namespace

int main(int argc, char** argv) {
  // --pattern 1..6 and --size measure one pattern or one size alone, for profiles and instruction counts.
  const Parameters parameters(argc, argv,
                              {{"rounds", 3, 1, 1000},
                               {"pairs", 1000000, 1, 1000000000},
                               {"pattern", 0, 0, 6},
                               {"size", 0, 0, 1u << 30}});
  struct Pattern {
    const char* name;
    void (*run)(benchmark::State&);
  };
  const Pattern patterns[] = {{"imm", immediately},
                              {"fifo", [](benchmark::State& state) { in_batches(state, Order::kFifo); }},
                              {"lifo", [](benchmark::State& state) { in_batches(state, Order::kLifo); }},
                              {"rand", [](benchmark::State& state) { in_batches(state, Order::kRandom); }},
                              {"xthr", across_threads},
                              {"sized", by_size}};
  std::map<std::string, std::uint64_t> pairs_of;
  std::uint64_t pairs_done = 0, number = 0;
  for (const Pattern& pattern : patterns) {
    ++number;
    if (parameters["pattern"] != 0 && parameters["pattern"] != number) continue;
    for (const std::size_t size : {16, 64, 256, 1024, 8192, 32768, 65536, 1048576}) {
      if (parameters["size"] != 0 && parameters["size"] != size) continue;
      // Fewer where a pair can cost microseconds.
      const std::uint64_t shrink = size <= 1024 ? 1 : size <= 65536 ? 16 : 100;
      const std::uint64_t wanted = parameters.work(parameters["pairs"] / shrink, 1000);
      const std::uint64_t batch = number == 1 ? 1 : pattern.run == across_threads ? kBatch : live_objects(size);
      const std::uint64_t batches = (wanted + batch - 1) / batch;
      benchmark::RegisterBenchmark(pattern.name, pattern.run)
          ->Arg(static_cast<std::int64_t>(size))
          ->Iterations(static_cast<benchmark::IterationCount>(batches))
          ->Repetitions(static_cast<int>(parameters["rounds"]));
      pairs_of[std::string(pattern.name) + " " + std::to_string(size)] = batches * batch;
      pairs_done += batches * batch * parameters["rounds"];
    }
  }
  char* no_options[] = {argv[0], nullptr};
  int one = 1;
  benchmark::Initialize(&one, no_options);
  LeastTimes reporter(pairs_of);
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print();
  return finish(mix(pairs_done));
}
