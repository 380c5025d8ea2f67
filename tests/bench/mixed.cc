// mixed.cc - random replacement in a table of equal chances: sizes log-uniform from 16 to --max, all lifetimes alike.
// With a small table it is about the hit path, with a large one about cache misses of the allocator's own data. Of several threads
// each has a table of its own, and does all of the operations.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Slot {
  void* object = nullptr;
  std::size_t size = 0;
};

std::uint64_t replace(std::uint64_t seed, std::uint64_t objects, std::uint64_t max, std::uint64_t operations) {
  Random random(seed);
  std::vector<Slot> slots(objects);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    Slot& slot = slots[random.below(objects)];
    if (slot.object != nullptr) {
      check_stamp(slot.object, slot.size, slot.size);
      sum += slot.size;
      std::free(slot.object);
    }
    slot.size = random.log_uniform(16, max);
    slot.object = std::malloc(slot.size);
    stamp(slot.object, slot.size, slot.size);
  }
  for (const Slot& slot : slots) std::free(slot.object);
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(
      argc, argv,
      {{"objects", 10000, 1, 100000000}, {"max", 1024, 32, 1 << 26}, {"operations", 40000000, 1, 100000000000}, {"threads", 1, 1, 256}});
  const std::uint64_t objects = parameters["objects"], max = parameters["max"];
  if ((max & (max - 1)) != 0) {
    std::fprintf(stderr, "error: --max %llu is not a power of two\n", static_cast<unsigned long long>(max));
    return 2;
  }
  const std::uint64_t operations = parameters.work(parameters["operations"], 1000);
  const std::uint64_t threads = parameters["threads"];
  if (threads == 1) return finish(mix(replace(19, objects, max, operations)));
  std::vector<std::uint64_t> sums(threads);
  run_threads(threads, [&](std::uint64_t i) { sums[i] = replace(19 + i, objects, max, operations); });
  std::uint64_t sum = 0;
  for (const std::uint64_t each : sums) sum += each;
  return finish(mix(sum));
}
