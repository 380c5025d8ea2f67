// latency.cc - how long single mallocs and frees take while a program runs steadily and memory goes back to the system: the
// percentiles of a histogram of clock readings around each call.
// The histogram costs two readings of the processor's time stamp and one increment per call; buckets grow by an eighth.

#include <time.h>

#include <algorithm>
#include <bit>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

std::uint64_t ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1000000000u + static_cast<std::uint64_t>(t.tv_nsec);
#endif
}

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

class Histogram {
 public:
  void add(std::uint64_t n) { ++counts_[bucket_of(n)]; }
  // The upper end of the bucket in which the given share of all readings ends.
  double quantile(double share) const {
    std::uint64_t all = 0, seen = 0;
    for (const std::uint64_t n : counts_) all += n;
    for (std::size_t b = 0; b < kBuckets; ++b) {
      seen += counts_[b];
      if (static_cast<double>(seen) >= share * static_cast<double>(all)) return upper_end(b);
    }
    return upper_end(kBuckets - 1);
  }

 private:
  static constexpr std::size_t kBuckets = 8 * 64;
  static std::size_t bucket_of(std::uint64_t n) {
    if (n < 8) return n;
    const unsigned log = static_cast<unsigned>(std::bit_width(n)) - 1;
    return (log - 2) * 8 + ((n >> (log - 3)) & 7);
  }
  static double upper_end(std::size_t bucket) {
    if (bucket < 8) return static_cast<double>(bucket + 1);
    const unsigned log = static_cast<unsigned>(bucket / 8) + 2;
    return static_cast<double>((8 + bucket % 8 + 1) << (log - 3));
  }
  std::uint64_t counts_[kBuckets] = {};
};

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"objects", 40000, 1, 10000000}, {"operations", 8000000, 1, 1000000000}});
  Random random(41);
  std::vector<void*> live(parameters["objects"]);
  Histogram of_malloc, of_free;
  const std::uint64_t operations = parameters.work(parameters["operations"], 1000);
  const double began = seconds();
  const std::uint64_t first = ticks();
  for (std::uint64_t i = 0; i < operations; ++i) {
    // Most of the time one in, one out; now and then a third goes at once and comes back.
    if (i % (operations / 16 + 1) == 0) {
      for (std::size_t k = 0; k < live.size() / 3; ++k) {
        const std::uint64_t before = ticks();
        std::free(live[k]);
        of_free.add(ticks() - before);
        live[k] = nullptr;
      }
    }
    void*& slot = live[random.below(live.size())];
    const std::size_t size = random.log_uniform(16, 16384);
    std::uint64_t before = ticks();
    std::free(slot);
    of_free.add(ticks() - before);
    before = ticks();
    slot = std::malloc(size);
    of_malloc.add(ticks() - before);
    if (slot == nullptr) out_of_memory(size);
    *static_cast<volatile unsigned char*>(slot) = 1;
  }
  const double ns_per_tick = (seconds() - began) * 1e9 / static_cast<double>(ticks() - first);
  for (void* object : live) std::free(object);
  for (const auto& [name, histogram] : {std::pair{"malloc", &of_malloc}, std::pair{"free", &of_free}}) {
    for (const unsigned share : {5000u, 9900u, 9990u, 9999u}) {
      std::printf("ns %s %u %.2f\n", name, share, histogram->quantile(share / 10000.0) * ns_per_tick);
    }
  }
  return finish(mix(operations));
}
