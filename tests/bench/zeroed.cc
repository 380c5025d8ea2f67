// zeroed.cc - calloc-heavy: tables of all sizes are asked for as zeros, checked to be zeros, dirtied and replaced.
// An allocator that knows which memory is fresh from the kernel does not clear it again.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Table {
  unsigned char* data = nullptr;
  std::size_t size = 0;
};

void make(Table& table, Random& random) {
  const std::uint64_t kind = random.next() & 255;
  table.size = kind == 0   ? random.log_uniform(131072, 1048576)
               : kind < 16 ? random.log_uniform(4096, 131072)
                           : random.log_uniform(16, 4096);
  const std::size_t element = table.size % 8 == 0 ? 8 : 1;
  table.data = static_cast<unsigned char*>(std::calloc(table.size / element, element));
  if (table.data == nullptr) out_of_memory(table.size);
  for (std::size_t i = 0; i < table.size; i += 1 + table.size / 32)
    if (table.data[i] != 0) corrupt(table.data, table.size);
  if (table.data[table.size - 1] != 0) corrupt(table.data, table.size);
}

// Half of the small tables are written all over, large ones here and there, as hash tables are.
void dirty(Table& table, Random& random) {
  if (table.size <= 4096 && (random.next() & 1) != 0) {
    std::memset(table.data, 0xA5, table.size);
  } else {
    for (std::size_t i = 0; i < table.size; i += 512) table.data[i] = 0x5A;
    table.data[table.size - 1] = 0x5A;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"tables", 2000, 1, 10000000}, {"operations", 4000000, 1, 10000000000}});
  Random random(13);
  std::vector<Table> tables(parameters["tables"]);
  std::uint64_t sum = 0;
  const std::uint64_t operations = parameters.work(parameters["operations"], 1000);
  for (std::uint64_t i = 0; i < operations; ++i) {
    Table& table = tables[random.below(tables.size())];
    std::free(table.data);
    make(table, random);
    dirty(table, random);
    sum += mix(table.size);
  }
  for (Table& table : tables) std::free(table.data);
  return finish(sum);
}
