// cfa_program.cc - see cfa_program.h. Agrees with libgcc also where libgcc is lax: restoring a
// register leaves it unsaved whatever the initial instructions said.
#include "liballoc/profile/cfa_program.h"

namespace liballoc {

namespace {

enum : uint8_t {  // DW_CFA_*
  kNop = 0x00,
  kAdvance1 = 0x02,
  kAdvance2 = 0x03,
  kAdvance4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefined = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefCfa = 0x0c,
  kDefCfaRegister = 0x0d,
  kDefCfaOffset = 0x0e,
  kDefCfaExpression = 0x0f,
  kExpression = 0x10,
  kOffsetExtendedSf = 0x11,
  kDefCfaSf = 0x12,
  kDefCfaOffsetSf = 0x13,
  kValOffset = 0x14,
  kValOffsetSf = 0x15,
  kValExpression = 0x16,
  kNegateRaState = 0x2d,
  kArgsSize = 0x2e
};
enum : uint8_t {
  kAdvance = 0x40,
  kOffset = 0x80,
  kRestore = 0xc0,
  kHighBits = 0xc0,
  kLowBits = 0x3f
};
enum : uint8_t { kOpDeref = 0x06, kOpBreg0 = 0x70 };
constexpr uint64_t kRaStateColumn = 34;  // aarch64: whether the return address is signed

constexpr int64_t kWordBytes = 8;
// Farther apart is not a frame; keeps the arithmetic below from overflowing.
constexpr int64_t kMaxOffset = int64_t{1} << 30;

bool moderate(int64_t offset) { return offset > -kMaxOffset && offset < kMaxOffset; }

bool to_slot(int64_t offset, int16_t* slot) {
  if (offset % kWordBytes != 0 || offset / kWordBytes < INT16_MIN ||
      offset / kWordBytes > INT16_MAX)
    return false;
  *slot = static_cast<int16_t>(offset / kWordBytes);
  return true;
}

}  // namespace

bool CfaProgram::run(ByteReader* reader) {
  remembered_count_ = 0;
  while (!reader->at_end() && location_ <= pc_) {
    if (!step(reader->fixed<uint8_t>(), reader) || !reader->ok()) return false;
  }
  return true;
}

bool CfaProgram::set(uint64_t column, Saved saved) {
  if (column == kFpColumn) state_.fp = saved;
  if (column == kRaColumn) state_.ra = saved;
  if (column == kSpColumn) state_.sp = saved;
  return !kHasLinkRegister || column != kRaStateColumn;
}

bool CfaProgram::set_scaled(uint64_t column, int64_t count) {
  if (!moderate(count) || !moderate(alignments_.data) || !moderate(count * alignments_.data))
    return false;
  return set(column, {Where::kAtCfa, count * alignments_.data});
}

bool CfaProgram::set_cfa_offset(int64_t offset) {
  state_.cfa_offset = offset;
  return moderate(offset);
}

bool CfaProgram::define_cfa(uint64_t column, int64_t offset) {
  state_.base = Base::kRegister;
  state_.cfa_register = column;
  return set_cfa_offset(offset);
}

// "the word at fp + n".
bool CfaProgram::cfa_expression(ByteReader* reader) {
  const uint64_t bytes = reader->uleb();
  const uint8_t* const begin = reader->position();
  if (reader->fixed<uint8_t>() != kOpBreg0 + kFpColumn) return false;
  const int64_t offset = reader->sleb();
  if (reader->fixed<uint8_t>() != kOpDeref) return false;
  if (static_cast<uint64_t>(reader->position() - begin) != bytes) return false;
  state_.base = Base::kLoad;
  state_.cfa_register = kFpColumn;
  return set_cfa_offset(offset);
}

// "at fp + n" for the frame pointer; of no interest for what is not followed.
bool CfaProgram::saved_expression(ByteReader* reader) {
  const uint64_t column = reader->uleb();
  const uint64_t bytes = reader->uleb();
  if (column != kFpColumn) {
    reader->skip(bytes);
    return set(column, {Where::kElsewhere, 0});
  }
  const uint8_t* const begin = reader->position();
  if (reader->fixed<uint8_t>() != kOpBreg0 + kFpColumn) return false;
  const int64_t offset = reader->sleb();
  if (static_cast<uint64_t>(reader->position() - begin) != bytes) return false;
  return set(column, {Where::kAtFp, offset});
}

bool CfaProgram::step(uint8_t instruction, ByteReader* reader) {
  const uint8_t low = instruction & kLowBits;
  switch (instruction & kHighBits) {
    case kAdvance:
      location_ += low * alignments_.code;
      return true;
    case kOffset:
      return set_scaled(low, static_cast<int64_t>(reader->uleb()));
    case kRestore:
      return set(low, {});
    default:
      return step_extended(instruction, reader);
  }
}

bool CfaProgram::step_extended(uint8_t instruction, ByteReader* reader) {
  switch (instruction) {
    case kNop:
      return true;
    case kAdvance1:
      location_ += reader->fixed<uint8_t>() * alignments_.code;
      return true;
    case kAdvance2:
      location_ += reader->fixed<uint16_t>() * alignments_.code;
      return true;
    case kAdvance4:
      location_ += reader->fixed<uint32_t>() * alignments_.code;
      return true;
    case kOffsetExtended: {
      const uint64_t column = reader->uleb();
      return set_scaled(column, static_cast<int64_t>(reader->uleb()));
    }
    case kOffsetExtendedSf: {
      const uint64_t column = reader->uleb();
      return set_scaled(column, reader->sleb());
    }
    case kRestoreExtended:
    case kSameValue:
      return set(reader->uleb(), {});
    case kUndefined:
      return set(reader->uleb(), {Where::kUndefined, 0});
    case kRegister:
    case kValOffset:
    case kValOffsetSf: {
      const uint64_t column = reader->uleb();
      reader->uleb();  // as long as the signed form
      return set(column, {Where::kElsewhere, 0});
    }
    case kRememberState:
      if (remembered_count_ == kMaxRemembered) return false;
      remembered_[remembered_count_++] = state_;
      return true;
    case kRestoreState:
      if (remembered_count_ == 0) return false;
      state_ = remembered_[--remembered_count_];
      return true;
    case kDefCfa: {
      const uint64_t column = reader->uleb();
      return define_cfa(column, static_cast<int64_t>(reader->uleb()));
    }
    case kDefCfaSf: {
      const uint64_t column = reader->uleb();
      const int64_t count = reader->sleb();
      return moderate(count) && moderate(alignments_.data) &&
             define_cfa(column, count * alignments_.data);
    }
    case kDefCfaRegister:
      return state_.base == Base::kRegister && define_cfa(reader->uleb(), state_.cfa_offset);
    case kDefCfaOffset:
      return state_.base == Base::kRegister && set_cfa_offset(static_cast<int64_t>(reader->uleb()));
    case kDefCfaOffsetSf: {
      const int64_t count = reader->sleb();
      return state_.base == Base::kRegister && moderate(count) && moderate(alignments_.data) &&
             set_cfa_offset(count * alignments_.data);
    }
    case kDefCfaExpression:
      return cfa_expression(reader);
    case kExpression:
      return saved_expression(reader);
    case kValExpression: {
      const uint64_t column = reader->uleb();
      reader->skip(reader->uleb());
      return set(column, {Where::kElsewhere, 0});
    }
    case kNegateRaState:
      state_.ra_signed = !state_.ra_signed;
      return kHasLinkRegister;
    case kArgsSize:
      reader->uleb();
      return true;
    default:
      return false;
  }
}

FrameRule CfaProgram::rule() const {
  const FrameRule complex;
  FrameRule rule;
  if (state_.ra.where == Where::kUndefined) {
    rule.cfa = CfaRule::kEndOfStack;
    return rule;
  }
  if (state_.sp.where != Where::kUnsaved) return complex;

  if (state_.base == Base::kLoad)
    rule.cfa = CfaRule::kFpLoad;
  else if (state_.base == Base::kRegister && state_.cfa_register == kSpColumn)
    rule.cfa = CfaRule::kSp;
  else if (state_.base == Base::kRegister && state_.cfa_register == kFpColumn)
    rule.cfa = CfaRule::kFp;
  else
    return complex;
  rule.cfa_offset = static_cast<int32_t>(state_.cfa_offset);

  if (state_.ra.where == Where::kAtCfa) {
    if (!to_slot(state_.ra.offset, &rule.ra_slot) || rule.ra_slot >= 0) return complex;
  } else if (state_.ra.where != Where::kUnsaved || !kHasLinkRegister) {
    return complex;
  }
  rule.ra_signed = state_.ra_signed;

  switch (state_.fp.where) {
    case Where::kUnsaved:
    case Where::kUndefined:
      return rule;
    case Where::kAtCfa:
      rule.fp = FpRule::kAtCfa;
      break;
    case Where::kAtFp:
      rule.fp = FpRule::kAtFp;
      break;
    case Where::kElsewhere:
      return complex;
  }
  return to_slot(state_.fp.offset, &rule.fp_slot) ? rule : complex;
}

}  // namespace liballoc
