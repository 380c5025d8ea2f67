// frame_read.h - reads words of other functions' frames, which sanitizers guard against. The address must be one that the walk of
// the thread's own stack leads to.
#pragma once

#include <cstdint>

namespace liballoc {

#define LIBALLOC_READS_FRAMES __attribute__((no_sanitize("address", "thread", "undefined")))

LIBALLOC_READS_FRAMES inline uintptr_t load_frame_word(uintptr_t at) {
  return *reinterpret_cast<const volatile uintptr_t*>(at);
}

}  // namespace liballoc
