// frame_sink.h - where a walk puts the frames it meets, whichever walk it is. Writes nothing behind
// max_depth.
#pragma once

#include <cstdint>

namespace liballoc {

struct FrameSink {
  uintptr_t* pcs;
  uint32_t max_depth;
  uint32_t skip;  // frames to leave out, from the first on
  uint32_t depth = 0;
  bool truncated = false;

  // False: enough.
  bool add(uintptr_t pc) {
    if (skip != 0) {
      skip--;
      return true;
    }
    if (depth == max_depth) {
      truncated = true;
      return false;
    }
    pcs[depth++] = pc;
    return true;
  }
};

}  // namespace liballoc
