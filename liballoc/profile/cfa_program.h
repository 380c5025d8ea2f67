// cfa_program.h - runs the call frame instructions of DWARF up to one pc, as far as they tell where
// the caller's stack pointer, frame pointer and return address are. Never reads but through the
// ByteReader; keeps all state on the stack.
#pragma once

#include <cstdint>

#include "liballoc/profile/byte_reader.h"
#include "liballoc/profile/frame_rule.h"

namespace liballoc {

struct CfaAlignments {
  uint64_t code;
  int64_t data;
};

class CfaProgram {
 public:
  // `pc` counts from the begin of the function.
  CfaProgram(CfaAlignments alignments, uint64_t pc) : alignments_(alignments), pc_(pc) {}

  // The initial instructions first, then those of the function. False: something that rules cannot
  // say.
  bool run(ByteReader* reader);

  // What holds at pc; kComplex when it does not fit.
  FrameRule rule() const;

 private:
  enum class Where : uint8_t { kUnsaved, kUndefined, kAtCfa, kAtFp, kElsewhere };
  struct Saved {
    Where where = Where::kUnsaved;
    int64_t offset = 0;
  };
  enum class Base : uint8_t { kNone, kRegister, kLoad };
  struct State {
    Base base = Base::kNone;
    uint64_t cfa_register = 0;
    int64_t cfa_offset = 0;
    Saved fp, ra, sp;
    bool ra_signed = false;
  };
  // Nesting that compilers reach is 1.
  static constexpr unsigned kMaxRemembered = 4;

  bool step(uint8_t instruction, ByteReader* reader);
  bool step_extended(uint8_t instruction, ByteReader* reader);
  bool set(uint64_t column, Saved saved);
  bool set_scaled(uint64_t column, int64_t count);
  bool set_cfa_offset(int64_t offset);
  bool define_cfa(uint64_t column, int64_t offset);
  bool cfa_expression(ByteReader* reader);
  bool saved_expression(ByteReader* reader);

  CfaAlignments alignments_;
  uint64_t pc_;
  uint64_t location_ = 0;
  State state_;
  State remembered_[kMaxRemembered];
  unsigned remembered_count_ = 0;
};

}  // namespace liballoc
