// unwind_rules.h - from the unwind tables of an image to the rule of one pc. No lock, no
// allocation; reads inside the image alone. Slow (some hundred instructions): rule_cache.h keeps
// the results.
#pragma once

#include <cstdint>

#include "liballoc/profile/frame_rule.h"
#include "liballoc/profile/unwind_module.h"

namespace liballoc {

// A rule and what it was read from, by which one can tell later whether it still holds.
struct DerivedRule {
  FrameRule rule;
  uintptr_t fde = 0;
  // Bytes of the entry from its begin that the rule depends on. 0: no entry, or none that can be
  // told again.
  uint32_t fde_bytes = 0;
};

// The shortest dependence: length, CIE pointer, begin and length of the function. And of a CIE.
inline constexpr uint32_t kFdeHeadBytes = 16, kCieHeadBytes = 24;

// `pc` lies in the instruction in question (for a return address: one byte before it).
DerivedRule derive_rule(const UnwindModule& module, uintptr_t pc);

// For a pc where no image is loaded: the end of the stack, as a rule.
FrameRule rule_outside_images(uintptr_t pc);

}  // namespace liballoc
