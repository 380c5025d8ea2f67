// peak_table.h - what each bucket had in use at the highest heap so far. One record per bucket, each
// with room for two peaks, so that the one before stays whole while the next is written. Guarded by
// the segment's telemetry lock. Must never be read back: who wants the peak reads the segment.
#pragma once

#include <cstdint>

#include "liballoc/telemetry/bucket_table.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class PeakTable {
 public:
  constexpr PeakTable() = default;

  bool open(SegmentSpace* space) { return table_.open(space); }
  void close() { table_.close(); }

  // Stores the in-use figures of every bucket that has any as those of peak `generation`, which is
  // one more than the last and not 0. Readers take them once they see the generation.
  void record(const BucketTable& buckets, uint64_t generation);

  static constexpr uint32_t kInitial = 16;

 private:
  RecordTable table_{LIBALLOC_SECTION_PEAK, sizeof(liballoc_abi_peak), kInitial};
};

}  // namespace liballoc
