// bucket_table.h - raw counts of sampled objects per (stack, cache class, allocated size, period, label set) and lane: each lane has
// buckets of its own, so that threads of different lanes do not write to the same line; readers add up those of the same key.
// Records stay for ever and their counters only grow. To add() takes the segment's telemetry lock, to count its ring lock;
// calls that name the same lane are kept apart by the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/lanes.h"
#include "liballoc/telemetry/private_index.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class BucketTable {
 public:
  constexpr BucketTable() = default;

  bool open(SegmentSpace* space) { return table_.open(space); }
  void close();

  struct Key {
    uint32_t stack, cache_class;
    uint64_t allocated, period;
    uint32_t label_set;
  };
  // Record number + 1; 0 = not there.
  uint32_t find(const Key& key, uint32_t lane) const;
  // Record number + 1 of a bucket that find() does not know; 0 and one more dropped when there is no room.
  uint32_t add(const Key& key, uint32_t lane);
  void count_alloc(uint32_t number_plus_1, uint64_t requested);
  void count_free(uint32_t number_plus_1, uint64_t requested);
  struct InUse {
    uint64_t objects, requested;
  };
  uint32_t used() const { return table_.used(); }
  // May run while others count: then it may miss their last objects, and is never less than nothing.
  InUse in_use(uint32_t number) const;
  size_t private_bytes() const;  // under the telemetry lock

  static constexpr uint32_t kInitial = 32;

 private:
  RecordTable table_{LIBALLOC_SECTION_BUCKETS, sizeof(liballoc_abi_bucket), kInitial};
  HashIndex index_[kLanes];
};

}  // namespace liballoc
