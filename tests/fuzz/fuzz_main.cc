// fuzz_main.cc - libFuzzer's entry: one driver, chosen at build time. Must never do anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const liballoc::FuzzTarget* target = nullptr;
  if (target == nullptr) {
    for (const liballoc::FuzzTarget& t : liballoc::fuzz_targets()) {
      if (std::string_view(t.name) == LIBALLOC_FUZZ_TARGET) target = &t;
    }
    LIBALLOC_FUZZ_CHECK(target != nullptr);
  }
  target->run({data, size < target->max_bytes ? size : target->max_bytes});
  return 0;
}
