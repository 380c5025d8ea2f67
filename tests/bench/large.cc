// large.cc - large blocks, 64 KiB to 32 MiB: a small set of them is replaced at random in rounds, each page is written.
// What is measured is whether memory is used again or fetched anew from the kernel, page by page.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Block {
  unsigned char* data = nullptr;
  std::size_t size = 0;
  unsigned char tag = 0;
};

void make(Block& block, Random& random, std::size_t min, std::size_t max) {
  block.size = random.log_uniform(min, max);
  block.tag = static_cast<unsigned char>(random.next());
  block.data = static_cast<unsigned char*>(std::malloc(block.size));
  if (block.data == nullptr) out_of_memory(block.size);
  for (std::size_t i = 0; i < block.size; i += 4096) block.data[i] = block.tag;
  block.data[block.size - 1] = block.tag;
}

std::uint64_t drop(Block& block) {
  if (block.data == nullptr) return 0;
  for (std::size_t i = 0; i < block.size; i += 65536)
    if (block.data[i] != block.tag) corrupt(block.data, block.size);
  if (block.data[block.size - 1] != block.tag) corrupt(block.data, block.size);
  const std::uint64_t sum = mix(block.size + block.tag);
  std::free(block.data);
  block = Block();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv,
                              {{"blocks", 24, 1, 10000},
                               {"rounds", 40, 1, 1000000},
                               {"min", 65536, 4096, 1u << 30},
                               {"max", 33554432, 8192, 1u << 30}});
  const std::uint64_t min = parameters["min"], max = parameters["max"];
  if ((min & (min - 1)) != 0 || (max & (max - 1)) != 0 || min >= max) {
    std::fprintf(stderr, "error: --min %llu and --max %llu are not two rising powers of two\n",
                 static_cast<unsigned long long>(min), static_cast<unsigned long long>(max));
    return 2;
  }
  Random random(3);
  std::vector<Block> blocks(parameters["blocks"]);
  std::uint64_t sum = 0;
  const std::uint64_t rounds = parameters.work(parameters["rounds"], 2);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < 2 * blocks.size(); ++i) {
      Block& block = blocks[random.below(blocks.size())];
      sum += drop(block);
      make(block, random, min, max);
    }
    // Now and then all of it goes, as at the end of a request.
    if (round % 8 == 7)
      for (Block& block : blocks) sum += drop(block);
  }
  for (Block& block : blocks) sum += drop(block);
  return finish(sum);
}
