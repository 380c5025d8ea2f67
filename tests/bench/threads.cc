// threads.cc - many short threads: each allocates a little, frees most of it, leaves a few objects behind, and ends.
// Measures what a thread's first allocation and its exit cost, and whether ended threads leave memory lying about.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

constexpr std::size_t kObjects = 200;
constexpr std::size_t kLeft = 8;

struct Left {
  void* object;
  std::size_t size;
};

std::uint64_t short_life(std::uint64_t seed, Left (&left)[kLeft]) {
  Random random(seed);
  Left objects[kObjects];
  for (Left& item : objects) {
    item.size = random.log_uniform(16, 2048);
    item.object = std::malloc(item.size);
    stamp(item.object, item.size, seed);
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kObjects; ++i) {
    sum += objects[i].size;
    if (i < kLeft) {
      left[i] = objects[i];
      continue;
    }
    check_stamp(objects[i].object, objects[i].size, seed);
    std::free(objects[i].object);
  }
  return mix(sum + seed);
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"lanes", 2, 1, 256}, {"threads", 16000, 1, 100000000}});
  const std::uint64_t lanes = parameters["lanes"];
  const std::uint64_t rounds = parameters.work(parameters["threads"], 10 * lanes) / lanes;
  std::vector<std::uint64_t> sums(lanes);
  struct Lane {
    Left left[kLeft];
  };
  std::vector<Lane> inherited(lanes);
  std::uint64_t sum = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    run_threads(lanes, [&](std::uint64_t i) { sums[i] = short_life(round * lanes + i, inherited[i].left); });
    for (std::uint64_t i = 0; i < lanes; ++i) {
      sum += sums[i];
      for (const Left& item : inherited[i].left) {
        check_stamp(item.object, item.size, round * lanes + i);
        std::free(item.object);
      }
    }
  }
  return finish(sum);
}
