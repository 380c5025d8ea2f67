// unwind_module.h - the loaded image around a pc and where its unwind tables are. No lock, no
// allocation.
#pragma once

#include <cstdint>

namespace liballoc {

struct UnwindModule {
  uintptr_t start, end;  // mapped range, gaps included
  uintptr_t header;      // PT_GNU_EH_FRAME; 0: none, or not inside the range
  uint32_t fingerprint;  // equal: the same tables at the same place, as far as their header tells
  bool permanent;        // never unloaded while this code runs

  bool contains(uintptr_t at) const { return at - start < end - start; }
  bool contains(uintptr_t at, uintptr_t bytes) const {
    return at >= start && at <= end && bytes <= end - at;
  }
};

// Bytes of the header that a table's user may read without a further check.
inline constexpr uintptr_t kUnwindHeaderBytes = 20;

// False when no image is loaded there.
bool find_unwind_module(uintptr_t pc, UnwindModule* out);
// The same of an image that is never unloaded. Reads nothing of it: its fingerprint need not tell it from a later one.
bool find_permanent_module(uintptr_t pc, UnwindModule* out);

}  // namespace liballoc
