// bursts.cc - phases: build a large structure of many objects, drop all of it in another order, idle along, repeat.
// The threads do so out of step; what one has freed is what the next can use.

#include <algorithm>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Item {
  void* object;
  std::size_t size;
};

std::uint64_t burst(Random& random, std::vector<Item>& items, std::uint64_t count) {
  items.clear();
  const std::uint64_t tag = random.next();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t kind = random.next() & 127;
    const std::size_t size = kind == 0   ? random.log_uniform(4096, 65536)
                             : kind < 16 ? random.log_uniform(256, 4096)
                                         : random.log_uniform(16, 256);
    void* object = std::malloc(size);
    stamp(object, size, tag);
    items.push_back({object, size});
  }
  // Shuffled in part: neighbours in time mostly die together, but not in order.
  for (std::size_t i = 0; i + 64 < items.size(); ++i) std::swap(items[i], items[i + random.below(64)]);
  std::uint64_t sum = mix(tag);
  for (const Item& item : items) {
    check_stamp(item.object, item.size, tag);
    sum += item.size;
    std::free(item.object);
  }
  return sum;
}

std::uint64_t idle(Random& random, std::uint64_t operations) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    const std::size_t size = 16 + random.below(240);
    void* object = std::malloc(size);
    stamp(object, size, i);
    keep(object);
    sum += size;
    std::free(object);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv,
                              {{"threads", 2, 1, 256}, {"objects", 60000, 65, 100000000}, {"bursts", 100, 1, 1000000}});
  const std::uint64_t threads = parameters["threads"];
  const std::uint64_t bursts = parameters.work(parameters["bursts"], 2);
  std::vector<std::uint64_t> sums(threads);
  run_threads(threads, [&](std::uint64_t t) {
    Random random(t + 11);
    std::vector<Item> items;
    for (std::uint64_t i = 0; i < bursts; ++i) {
      sums[t] += burst(random, items, parameters["objects"] / 2 + random.below(parameters["objects"] / 2 + 1));
      sums[t] += idle(random, 20000);
    }
  });
  std::uint64_t sum = 0;
  for (std::uint64_t part : sums) sum += part;
  return finish(sum);
}
