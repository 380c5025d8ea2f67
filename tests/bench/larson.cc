// larson.cc - a server: each lane of work is passed from thread to thread, and objects outlive the threads that made them.
// Every generation of threads replaces objects at random that threads of the generation before have allocated, then ends.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Slot {
  void* object;
  std::uint32_t size;
  std::uint32_t tag;
};

struct Lane {
  std::vector<Slot> slots;
  std::uint64_t sum = 0;
};

Slot make(Random& random, std::size_t min, std::size_t max) {
  const std::size_t size = min + random.below(max - min + 1);
  const std::uint32_t tag = static_cast<std::uint32_t>(random.next());
  void* object = std::malloc(size);
  stamp(object, size, tag);
  return {object, static_cast<std::uint32_t>(size), tag};
}

void drop(Lane& lane, const Slot& slot) {
  check_stamp(slot.object, slot.size, slot.tag);
  lane.sum += mix(slot.tag);
  std::free(slot.object);
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv,
                              {{"threads", 2, 1, 256},
                               {"objects", 1000, 1, 10000000},
                               {"generations", 800, 1, 10000000},
                               {"min", 8, 8, 1048576},
                               {"max", 1000, 8, 1048576}});
  const std::uint64_t threads = parameters["threads"], min = parameters["min"], max = parameters["max"];
  if (min > max) {
    std::fprintf(stderr, "error: --min %llu is above --max %llu\n", static_cast<unsigned long long>(min),
                 static_cast<unsigned long long>(max));
    return 2;
  }
  const std::uint64_t generations = parameters.work(parameters["generations"], 3);
  std::vector<Lane> lanes(threads);
  Random random(7);
  for (Lane& lane : lanes)
    for (std::uint64_t i = 0; i < parameters["objects"]; ++i) lane.slots.push_back(make(random, min, max));

  for (std::uint64_t generation = 0; generation < generations; ++generation) {
    run_threads(threads, [&](std::uint64_t i) {
      // The lanes move on by one, so that what this thread frees was made on another core more often than not.
      Lane& lane = lanes[(i + generation) % threads];
      Random own(generation * threads + (i + generation) % threads);
      for (std::uint64_t n = 0; n < 20000; ++n) {
        Slot& slot = lane.slots[own.below(lane.slots.size())];
        drop(lane, slot);
        slot = make(own, min, max);
      }
    });
  }
  std::uint64_t sum = 0;
  for (Lane& lane : lanes) {
    for (const Slot& slot : lane.slots) drop(lane, slot);
    sum += lane.sum;
  }
  return finish(sum);
}
