// sharing.cc - false sharing: threads write to small objects of their own that may lie in one cache line with others'.
// Active: each thread allocates for itself. Passive: the first objects come from the main thread, side by side.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

std::uint64_t use(void* object, std::size_t size, std::uint64_t writes, std::uint64_t tag) {
  volatile unsigned char* bytes = static_cast<unsigned char*>(object);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < writes; ++i) {
    const std::size_t at = static_cast<std::size_t>(i) & (size - 1);
    bytes[at] = static_cast<unsigned char>(i + tag);
    sum += bytes[at];
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv,
                              {{"passive", 0, 0, 1},
                               {"threads", 2, 1, 256},
                               {"size", 8, 1, 4096},
                               {"writes", 2000, 1, 1000000000},
                               {"objects", 400000, 1, 1000000000}});
  const std::uint64_t threads = parameters["threads"], size = parameters["size"];
  if ((size & (size - 1)) != 0) {
    std::fprintf(stderr, "error: --size %llu is not a power of two\n", static_cast<unsigned long long>(size));
    return 2;
  }
  const std::uint64_t each = parameters.work(parameters["objects"], 10 * threads) / threads;
  std::vector<void*> given(threads, nullptr);
  if (parameters["passive"] == 1)
    for (void*& object : given) {
      object = std::malloc(size);
      if (object == nullptr) out_of_memory(size);
    }
  std::vector<std::uint64_t> sums(threads);
  run_threads(threads, [&](std::uint64_t t) {
    // Freed here, the given object becomes this thread's to allocate again: a good allocator gives it back instead.
    if (given[t] != nullptr) {
      sums[t] += use(given[t], size, parameters["writes"], t);
      std::free(given[t]);
    }
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < each; ++i) {
      void* object = std::malloc(size);
      if (object == nullptr) out_of_memory(size);
      sum += use(object, size, parameters["writes"], t);
      std::free(object);
    }
    sums[t] += sum;
  });
  std::uint64_t sum = 0;
  for (std::uint64_t part : sums) sum += part;
  return finish(sum);
}
