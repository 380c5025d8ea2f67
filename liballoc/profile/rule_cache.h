// rule_cache.h - remembers the rule of each pc that a walk has met. Fixed size, no lock: safe in a
// signal handler, in several threads at once, and in a child that was forked while another thread
// was writing.
//
// A slot's first word holds the pc and a sequence that is odd while the rest is being written, so
// that a reader never uses half of one rule and half of another. A rule is used only if the image
// at pc has the fingerprint it had, and the table entries from which the rule was read still hold
// the same bytes: after dlclose and dlopen another image may lie there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/profile/unwind_rules.h"

namespace liballoc {

class RuleCache {
 public:
  static constexpr size_t kSlots = 4096;
  static constexpr size_t kWays = 2;  // slots in which a pc may be
  struct Slot {
    uint64_t tag;     // sequence : 16, pc : 48
    uint64_t rule;    // CFA offset : 32, slots of frame pointer and return address : 16 each
    uint64_t source;  // entry's distance from the header : 32, bytes it depends on : 16, kinds : 16
    uint64_t check;   // fingerprint of the image : 32, hash of the bytes : 32
  };
  static_assert(sizeof(Slot) == 32);
  static constexpr size_t kBytes = kSlots * sizeof(Slot);

  // `memory`: kBytes, zero, aligned to a cache line, for good. Before it is called the cache is
  // empty and stays so.
  void init(void* memory);
  bool active() const;

  bool find(uintptr_t pc, const UnwindModule& module, FrameRule* out) const;
  // Leaves out what cannot be told again or does not fit.
  void keep(uintptr_t pc, const UnwindModule& module, const DerivedRule& derived);

 private:
  Slot* slots_ = nullptr;  // set once, before its contents matter
};

}  // namespace liballoc
