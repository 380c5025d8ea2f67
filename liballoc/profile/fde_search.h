// fde_search.h - finds the frame description entry of a pc by the sorted table of PT_GNU_EH_FRAME.
// Reads inside the image alone, whatever the table says.
#pragma once

#include <cstdint>

#include "liballoc/profile/unwind_module.h"

namespace liballoc {

enum class FdeSearch {
  kCandidate,  // the entry that covers pc if any does: its length is still to be compared
  kNone,       // the code at pc has none
  kUnusual,    // the table is missing, or not the one that linkers write
};

struct FdePlace {
  uintptr_t function;  // where the described code begins
  uintptr_t fde;
};

FdeSearch search_fde(const UnwindModule& module, uintptr_t pc, FdePlace* out);

}  // namespace liballoc
