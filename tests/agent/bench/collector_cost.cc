// collector_cost.cc - what the agent's collector costs while it reads all segments of a directory
// at its usual pace. Run by collector_cost.py; holds nothing but the collector, so that the CPU
// time of the process is the collector's. Must never judge: it prints.
//
// usage: bench_collector DIRECTORY SECONDS
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "agent/discover/collector.h"

namespace {

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace liballoc::agent;
  if (argc != 3) {
    std::fputs("usage: bench_collector DIRECTORY SECONDS\n", stderr);
    return 2;
  }
  CollectorOptions options;
  options.shm_dir = argv[1];
  Registry registry;
  Collector collector(options, registry);
  const double before_first = cpu_seconds();
  if (!collector.start()) {
    std::fputs("the collector did not start\n", stderr);
    return 1;
  }
  const double first = cpu_seconds() - before_first;
  const auto began = std::chrono::steady_clock::now();
  const CollectorStats stats_before = collector.stats();
  const double cpu_before = cpu_seconds();
  std::this_thread::sleep_for(std::chrono::seconds(std::atoi(argv[2])));
  const double cpu = cpu_seconds() - cpu_before;
  const CollectorStats stats = collector.stats();
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  uint64_t spans = 0;
  for (const auto& snapshot : registry.list()) spans += snapshot->spans.size();
  const uint64_t polls = stats.collections - stats_before.collections;
  std::printf(
      "processes=%llu spans=%llu polls=%llu first_ms=%.1f cpu_ms_per_poll=%.2f core=%.2f%%\n",
      static_cast<unsigned long long>(stats.processes_live), static_cast<unsigned long long>(spans),
      static_cast<unsigned long long>(polls), 1e3 * first,
      polls == 0 ? 0 : 1e3 * cpu / static_cast<double>(polls), 100 * cpu / wall);
  collector.stop();
  return 0;
}
