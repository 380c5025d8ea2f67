// walk_memo.h - remembers which stack a walk led to, so that a thread which allocates at the same places again does not walk again.
// A walk is a function of the registers it begins with, of the words it reads from the stack and of the rules of the images
// it passes. So the same registers and the same words lead to the same frames, as long as no image on the way can be unloaded;
// other walks are not remembered. Each word is read where the walk would read it, after all before it were found the same.
// Of one thread, inside its own walks.
#pragma once

#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/profile/frame_registers.h"

namespace liballoc {

// What a walk depended on.
class WalkReads {
 public:
  static constexpr uint32_t kMax = 32;  // so a stack that is cut at its depth limit is never known

  void begin(const FrameRegisters& from) {
    from_ = from;
    count_ = 0;
    whole_ = true;
    uses_fp_ = false;
  }
  // The word at `at` decided something.
  void note(uintptr_t at, uintptr_t value) {
    const uintptr_t offset = at - from_.sp + kBelow;
    if (count_ == kMax || offset > UINT32_MAX) {
      whole_ = false;
      return;
    }
    offsets_[count_] = static_cast<uint32_t>(offset);
    values_[count_++] = value;
  }
  void note_first_fp() { uses_fp_ = true; }
  // What it depended on cannot be told.
  void give_up() { whole_ = false; }

  bool whole() const { return whole_; }
  bool same_again(const FrameRegisters& from) const;

 private:
  static constexpr uintptr_t kBelow = 4096;  // reads may lie a little below the stack pointer
  FrameRegisters from_;
  uint32_t count_;
  bool whole_, uses_fp_;
  uint32_t offsets_[kMax];
  uintptr_t values_[kMax];
};

class WalkMemo {
 public:
  static constexpr unsigned kWalks = 8;

  // The number that a walk from here was kept with; 0: none.
  uint32_t find(const FrameRegisters& from) const;
  // For a walk from here to note what it reads.
  WalkReads* begin(const FrameRegisters& from);
  // The last walk led to the stack of that number, not 0. Forgotten if it cannot be recognised.
  void keep(uint32_t number);
  void forget_all();

 private:
  WalkReads reads_[kWalks];
  uint32_t numbers_[kWalks];  // 0: unused
  uint32_t next_;             // where the walk that was begun last is
};

}  // namespace liballoc
