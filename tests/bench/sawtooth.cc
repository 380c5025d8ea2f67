// sawtooth.cc - fragmentation over time: the heap grows to a peak, nearly all of it dies, a few survivors stay behind.
// Each tooth favours other sizes; survivors live for four teeth. Peak RSS tells how much the holes were worth.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Item {
  void* object;
  std::size_t size;
  std::uint64_t tag;
};

constexpr std::size_t kGenerations = 4;

std::uint64_t drop(const Item& item) {
  check_stamp(item.object, item.size, item.tag);
  std::free(item.object);
  return mix(item.tag);
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"peak_mib", 48, 1, 65536}, {"teeth", 32, 1, 1000000}});
  const std::uint64_t peak = parameters["peak_mib"] << 20;
  const std::uint64_t teeth = parameters.work(parameters["teeth"], 6);
  const std::size_t smallest[] = {16, 64, 32, 256, 16, 1024};
  Random random(9);
  std::vector<Item> survivors[kGenerations];
  std::vector<Item> live;
  std::uint64_t sum = 0;
  for (std::uint64_t tooth = 0; tooth < teeth; ++tooth) {
    std::vector<Item>& oldest = survivors[tooth % kGenerations];
    for (const Item& item : oldest) sum += drop(item);
    oldest.clear();
    const std::size_t min = smallest[tooth % (sizeof(smallest) / sizeof(smallest[0]))];
    live.clear();
    for (std::uint64_t bytes = 0; bytes < peak;) {
      const std::size_t size = random.log_uniform(min, min * 32);
      const std::uint64_t tag = random.next();
      void* object = std::malloc(size);
      stamp(object, size, tag);
      live.push_back({object, size, tag});
      bytes += size;
    }
    for (const Item& item : live) {
      if (random.below(24) == 0)
        oldest.push_back(item);
      else
        sum += drop(item);
    }
  }
  for (const std::vector<Item>& generation : survivors)
    for (const Item& item : generation) sum += drop(item);
  return finish(sum);
}
