// vectors.cc - growing vectors: many buffers are reallocated to grow by half, or by a few bytes as strings do.
// Checks that what was in a buffer is in it after every realloc.

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;

struct Buffer {
  unsigned char* data = nullptr;
  std::size_t used = 0;
  std::size_t capacity = 0;
  std::size_t limit = 0;
  bool by_half = true;
  unsigned char tag = 0;
};

void grow(Buffer& buffer, std::size_t wanted) {
  std::size_t capacity = buffer.by_half ? buffer.capacity + buffer.capacity / 2 : wanted + 7;
  if (capacity < wanted) capacity = wanted;
  unsigned char* data = static_cast<unsigned char*>(std::realloc(buffer.data, capacity));
  if (data == nullptr) out_of_memory(capacity);
  if (buffer.used > 0 && (data[0] != buffer.tag || data[buffer.used - 1] != buffer.tag)) corrupt(data, capacity);
  buffer.data = data;
  buffer.capacity = capacity;
}

// Appends some bytes; true when the buffer is as long as it will get.
bool append(Buffer& buffer, std::size_t bytes) {
  const std::size_t wanted = buffer.used + bytes;
  if (wanted > buffer.capacity) grow(buffer, wanted);
  std::memset(buffer.data + buffer.used, buffer.tag, bytes);
  buffer.used = wanted;
  return wanted >= buffer.limit;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"buffers", 256, 1, 1000000}, {"finished", 400000, 1, 1000000000}});
  Random random(5);
  std::vector<Buffer> buffers(parameters["buffers"]);
  std::uint64_t sum = 0, finished = 0;
  const std::uint64_t goal = parameters.work(parameters["finished"], 20);
  while (finished < goal) {
    Buffer& buffer = buffers[random.below(buffers.size())];
    if (buffer.limit == 0) {
      const bool large = random.below(400) == 0;
      buffer.limit = large ? random.log_uniform(65536, 8388608) : random.log_uniform(32, 16384);
      buffer.by_half = large || random.below(3) != 0;
      buffer.tag = static_cast<unsigned char>(random.next());
    }
    // A few appends in a row, in proportion to the length that it will have.
    bool full = false;
    for (int i = 0; i < 4 && !full; ++i) full = append(buffer, 8 + random.below(buffer.limit / 16 + 8));
    if (full) {
      sum += mix(buffer.used + buffer.tag);
      std::free(buffer.data);
      buffer = Buffer();
      ++finished;
    }
  }
  for (Buffer& buffer : buffers) std::free(buffer.data);
  return finish(sum);
}
