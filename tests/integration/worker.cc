// worker.cc - an ordinary program: threads, C++ containers, a forked child, exit code 7 and always
// the same output. Must never look at the environment or at the allocator: the tests compare it
// with and without liballoc.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

// A figure that depends on the contents of many allocations of many sizes.
uint64_t work(unsigned seed) {
  std::map<std::string, std::vector<unsigned>> table;
  unsigned state = seed * 2654435761u + 1;
  for (int i = 0; i < 30000; ++i) {
    state = state * 1664525u + 1013904223u;
    auto& row = table["key number " + std::to_string(state % 997)];
    row.push_back(state);
    if (row.size() > 40) row.erase(row.begin(), row.begin() + 20);
    if (i % 500 == 0) {
      const auto big = std::make_unique<std::vector<unsigned>>(50000, state);
      state ^= std::accumulate(big->begin(), big->end(), 0u);
    }
  }
  uint64_t sum = 0;
  for (const auto& [key, row] : table) {
    sum = sum * 31 + key.size();
    for (const unsigned value : row) sum = sum * 31 + value;
  }
  return sum;
}

}  // namespace

int main() {
  std::vector<uint64_t> results(4);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < results.size(); ++i)
    threads.emplace_back([&results, i] { results[i] = work(i); });
  for (std::thread& thread : threads) thread.join();
  for (const uint64_t result : results)
    std::printf("thread %016llx\n", static_cast<unsigned long long>(result));
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const auto result = work(99);
    std::printf("child %016llx\n", static_cast<unsigned long long>(result));
    std::fflush(stdout);
    _exit(5);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  std::printf("child ended with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return 7;
}
