// walk_memo.cc - see walk_memo.h.
#include "liballoc/profile/walk_memo.h"

#include "liballoc/profile/frame_read.h"

namespace liballoc {

bool WalkReads::same_again(const FrameRegisters& from) const {
  if (from.sp != from_.sp || from.pc != from_.pc || from.lr != from_.lr) return false;
  if (uses_fp_ && from.fp != from_.fp) return false;
  for (uint32_t i = 0; i < count_; i++) {
    if (load_frame_word(from.sp - kBelow + offsets_[i]) != values_[i]) return false;
  }
  return true;
}

uint32_t WalkMemo::find(const FrameRegisters& from) const {
  for (unsigned i = 0; i < kWalks; i++) {
    if (numbers_[i] != 0 && reads_[i].same_again(from)) return numbers_[i];
  }
  return 0;
}

WalkReads* WalkMemo::begin(const FrameRegisters& from) {
  next_ = (next_ + 1) % kWalks;
  numbers_[next_] = 0;
  reads_[next_].begin(from);
  return &reads_[next_];
}

void WalkMemo::keep(uint32_t number) {
  if (reads_[next_].whole()) numbers_[next_] = number;
}

void WalkMemo::forget_all() {
  for (uint32_t& number : numbers_) number = 0;
}

}  // namespace liballoc
