// bucket_table.h - raw counts of sampled objects per (stack, cache class, allocated size, period, label set).
// Records stay for ever and their counters only grow. Guarded by the segment's telemetry lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry/private_index.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class BucketTable {
 public:
  constexpr BucketTable() = default;

  bool open(SegmentSpace* space) { return table_.open(space); }
  void close();

  // Record number + 1, made when it is not there; 0 and one more dropped when there is no room.
  uint32_t intern(uint32_t stack, uint32_t cache_class, uint64_t allocated, uint64_t period, uint32_t label_set);
  void count_alloc(uint32_t number_plus_1, uint64_t requested);
  void count_free(uint32_t number_plus_1, uint64_t requested);
  struct InUse {
    uint64_t objects, requested;
  };
  uint32_t used() const { return table_.used(); }
  InUse in_use(uint32_t number) const;
  size_t private_bytes() const { return index_.bytes(); }

  static constexpr uint32_t kInitial = 32;

 private:
  RecordTable table_{LIBALLOC_SECTION_BUCKETS, sizeof(liballoc_abi_bucket), kInitial};
  HashIndex index_;
};

}  // namespace liballoc
