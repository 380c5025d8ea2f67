// startup.cc - start-up: runs /bin/true many times, one after the other, each under the allocator that this runs under.
// Measures what the allocator's first initialisation, its first pages and its way out cost a short program.

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

int main(int argc, char** argv) {
  using namespace liballoc::bench;
  const Parameters parameters(argc, argv, {{"runs", 800, 1, 1000000}});
  const std::uint64_t runs = parameters.work(parameters["runs"], 3);
  char program[] = "/bin/true";
  char* arguments[] = {program, nullptr};
  for (std::uint64_t i = 0; i < runs; ++i) {
    pid_t child = 0;
    int status = 0;
    const int error = posix_spawn(&child, program, nullptr, nullptr, arguments, environ);
    if (error != 0 || waitpid(child, &status, 0) != child || status != 0) {
      std::fprintf(stderr, "error: run %llu of %s failed (error %d, status %d)\n", static_cast<unsigned long long>(i),
                   program, error, status);
      return 1;
    }
  }
  std::printf("starts %llu\n", static_cast<unsigned long long>(runs));
  return finish(mix(runs));
}
