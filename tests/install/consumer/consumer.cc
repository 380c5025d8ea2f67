// consumer.cc - a program of a user: proves that its malloc and operator new are liballoc's, then
// says so. Must never name anything private: it includes what is installed and nothing else.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "liballoc/telemetry_abi.h"

int main() {
  std::vector<std::string> words;
  for (int i = 0; i < 1000; ++i) words.push_back("word number " + std::to_string(i));
  // 33 bytes are a slot of 48 in liballoc's size classes and 40 usable bytes in glibc's.
  void* object = std::malloc(33);
  const size_t usable = malloc_usable_size(object);
  std::free(object);
  std::printf("abi %d.%d, %zu words, usable %zu\n", LIBALLOC_ABI_MAJOR, LIBALLOC_ABI_MINOR,
              words.size(), usable);
  return usable == 48 ? 0 : 1;
}
