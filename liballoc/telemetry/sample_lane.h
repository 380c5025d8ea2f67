// sample_lane.h - what the segment keeps per lane (base/lanes.h) so that taking a sample in one lane does not write to what another
// needs: records of live samples that nobody uses. Has no lock: the caller keeps calls that name the same lane apart.
#pragma once

#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc {

struct alignas(kCacheLineBytes) SampleLane {
  static constexpr uint32_t kBatch = 4;  // records that pass between a lane and the table at a time
  static constexpr uint32_t kSpare = 2 * kBatch;

  uint32_t spare = 0;
  uint32_t records[kSpare] = {};

  uint32_t pop() { return records[--spare]; }  // while there is one
  void push(uint32_t record) { records[spare++] = record; }  // while there are less than kSpare
};

}  // namespace liballoc
