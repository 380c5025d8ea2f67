// label_table.h - what sampled threads carried: key=value pairs, each stored once, and the sets of them. A set's record is
// published after those of its pairs. Takes no space before the first set, and no more than kMaxLabels and kMaxSets: a program
// may label by request, and what it fills is never given back. Guarded by the segment's telemetry lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry/private_index.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class LabelTable {
 public:
  constexpr LabelTable() = default;

  void open(SegmentSpace* space);
  void close();

  // `labels`: 1 to LIBALLOC_ABI_LABELS_PER_SET, by ascending key, no key twice; behind the end of each string all bytes are 0; hash
  // is ignored. Record number + 1 of their set; 0 and one more dropped when there is no room.
  uint32_t intern(const liballoc_abi_label* labels, uint32_t count);
  size_t private_bytes() const { return label_index_.bytes() + set_index_.bytes(); }

  static constexpr uint32_t kInitialLabels = 16;
  static constexpr uint32_t kInitialSets = 64;
  static constexpr uint32_t kMaxLabels = 4096;  // 1 MiB
  static constexpr uint32_t kMaxSets = 4096;    // 256 KiB, and a bucket for each stack that allocates under it

 private:
  uint32_t intern_label(const liballoc_abi_label& label);

  RecordTable labels_{LIBALLOC_SECTION_LABELS, sizeof(liballoc_abi_label), kInitialLabels};
  RecordTable sets_{LIBALLOC_SECTION_LABEL_SETS, sizeof(liballoc_abi_label_set), kInitialSets};
  HashIndex label_index_;
  HashIndex set_index_;
};

}  // namespace liballoc
