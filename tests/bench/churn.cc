// churn.cc - random sizes and random lifetimes: each thread replaces objects of its own table, most of them young.
// Nine of ten replacements hit a sixteenth of the table, so that a few objects live long among many that do not.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Slot {
  void* object = nullptr;
  std::size_t size = 0;
  std::uint64_t tag = 0;
};

// Small objects are the rule, some have a few hundred bytes, one in 256 has some KiB.
std::size_t pick_size(Random& random) {
  const std::uint64_t kind = random.next() & 255;
  if (kind == 0) return random.log_uniform(1024, 32768);
  if (kind < 40) return random.log_uniform(128, 1024);
  return 8 + random.below(120);
}

std::uint64_t churn(std::uint64_t seed, std::uint64_t objects, std::uint64_t operations) {
  Random random(seed);
  std::vector<Slot> slots(objects);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    const bool young = random.next() % 10 != 0;
    Slot& slot = slots[random.below(young ? (objects + 15) / 16 : objects)];
    if (slot.object != nullptr) {
      check_stamp(slot.object, slot.size, slot.tag);
      sum += mix(slot.tag);
      std::free(slot.object);
    }
    slot.size = pick_size(random);
    slot.tag = random.next();
    slot.object = std::malloc(slot.size);
    stamp(slot.object, slot.size, slot.tag);
  }
  for (Slot& slot : slots) {
    if (slot.object != nullptr) check_stamp(slot.object, slot.size, slot.tag);
    sum += slot.size;
    std::free(slot.object);
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(
      argc, argv, {{"threads", 1, 1, 256}, {"objects", 30000, 1, 100000000}, {"operations", 40000000, 1, 100000000000}});
  const std::uint64_t threads = parameters["threads"];
  const std::uint64_t operations = parameters.work(parameters["operations"], 1000) / threads;
  std::vector<std::uint64_t> sums(threads);
  run_threads(threads, [&](std::uint64_t i) { sums[i] = churn(i + 1, parameters["objects"], operations); });
  std::uint64_t sum = 0;
  for (std::uint64_t part : sums) sum += part;
  return finish(sum);
}
