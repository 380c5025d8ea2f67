// stack_table.h - call stacks, each stored once: records in the stacks section, addresses in the
// frames section. A stack record is published after its frames are. Guarded by the segment's
// telemetry lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry/private_index.h"
#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class StackTable {
 public:
  constexpr StackTable() = default;

  bool open(SegmentSpace* space);
  void close();

  // Record number + 1; 0 = not there.
  uint32_t find(const uintptr_t* pcs, uint32_t depth, bool truncated, uint64_t hash) const;
  // Record number + 1 of a stack that find() does not know; 0 and one more dropped when there is no
  // room.
  uint32_t add(const uintptr_t* pcs, uint32_t depth, bool truncated, uint64_t hash);
  // The frames of a valid stack, at most `max`; returns how many.
  uint32_t copy(uint32_t number_plus_1, uint64_t* pcs, uint32_t max) const;
  bool valid(uint32_t number_plus_1) const {
    return number_plus_1 != 0 && number_plus_1 <= stacks_.used();
  }
  size_t private_bytes() const { return index_.bytes(); }

  static constexpr uint32_t kInitialStacks = 32;
  static constexpr uint32_t kInitialFrames = 512;

 private:
  bool same(uint32_t number, const uintptr_t* pcs, uint32_t depth, bool truncated,
            uint64_t hash) const;

  RecordTable stacks_{LIBALLOC_SECTION_STACKS, sizeof(liballoc_abi_stack), kInitialStacks};
  RecordTable frames_{LIBALLOC_SECTION_FRAMES, sizeof(liballoc_abi_frame), kInitialFrames};
  HashIndex index_;
};

}  // namespace liballoc
