// giveback.cc - a burst, then ordinary life: how much memory the process still holds, some seconds
// after most of a big heap died. Prints resident memory in percent of what is in use.

#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

double resident_bytes() {
  unsigned long long size = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%llu %llu", &size, &resident) != 2) std::abort();
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void touch(void* object, std::size_t size) {
  for (std::size_t at = 0; at < size; at += 4096) static_cast<volatile unsigned char*>(object)[at] = 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"burst_mib", 256, 1, 65536}, {"base_mib", 64, 1, 65536}, {"last_s", 8, 1, 30}});
  Random random(77);
  const auto fill = [&](std::vector<void*>* into, std::uint64_t bytes) {
    for (std::uint64_t sum = 0; sum < bytes;) {
      const std::size_t size = random.log_uniform(64, 32768);
      into->push_back(std::malloc(size));
      if (into->back() == nullptr) out_of_memory(size);
      touch(into->back(), size);
      sum += size;
    }
  };
  const std::uint64_t base_bytes = parameters.work(parameters["base_mib"], 1) << 20;
  std::vector<void*> base, burst;
  fill(&base, base_bytes);
  fill(&burst, parameters.work(parameters["burst_mib"], 1) << 20);
  for (void* object : burst) std::free(object);
  std::vector<void*>().swap(burst);
  const double freed = seconds();
  std::uint64_t operations = 0;
  for (const unsigned after : {1u, 4u, 8u, 30u}) {
    if (after > parameters["last_s"]) break;
    while (seconds() - freed < after) {  // a server that goes on with little to do
      for (unsigned i = 0; i < 200; ++i, ++operations) {
        void*& slot = base[random.below(base.size())];
        std::free(slot);
        const std::size_t size = random.log_uniform(64, 32768);
        slot = std::malloc(size);
        if (slot == nullptr) out_of_memory(size);
        touch(slot, size);
      }
      const timespec pause = {0, 5000000};
      nanosleep(&pause, nullptr);
    }
    std::printf("ns percent-after-s %u %.2f\n", after, 100.0 * resident_bytes() / static_cast<double>(base_bytes));
  }
  for (void* object : base) std::free(object);
  return finish(mix(base.size()));
}
