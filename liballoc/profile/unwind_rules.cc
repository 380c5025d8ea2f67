// unwind_rules.cc - see unwind_rules.h. Accepts what compilers emit for ordinary functions and
// gives kComplex for anything else: a rule is either what libgcc would compute or none.
#include "liballoc/profile/unwind_rules.h"

#include <cstring>

#include "liballoc/profile/byte_reader.h"
#include "liballoc/profile/cfa_program.h"
#include "liballoc/profile/fde_search.h"
#include "liballoc/profile/libgcc_walk.h"
#include "liballoc/profile/readable.h"

namespace liballoc {

namespace {

constexpr uint32_t kMaxFdeBytes = UINT16_MAX;

constexpr DerivedRule complex_rule() { return {}; }

// Bytes of a pointer encoded so; 0: no fixed size, or one that needs more than skipping.
size_t encoded_bytes(uint8_t encoding) {
  if ((encoding & 0x70) == 0x50) return 0;  // DW_EH_PE_aligned
  switch (encoding & 0x07) {
    case 0:
      return 8;  // absptr
    case 2:
      return 2;
    case 3:
      return 4;
    case 4:
      return 8;
    default:
      return 0;
  }
}

// The entry at `at`: from behind its length word to its end. False for the 64-bit format and for
// the terminator.
bool entry_range(const UnwindModule& module, uintptr_t at, const uint8_t** begin,
                 const uint8_t** end) {
  uint32_t bytes;
  if (!module.contains(at, sizeof(bytes))) return false;
  memcpy(&bytes, reinterpret_cast<const void*>(at), sizeof(bytes));
  if (bytes == 0 || bytes == UINT32_MAX || !module.contains(at + sizeof(bytes), bytes))
    return false;
  *begin = reinterpret_cast<const uint8_t*>(at + sizeof(bytes));
  *end = *begin + bytes;
  return true;
}

struct Cie {
  CfaAlignments alignments{};
  const uint8_t* program = nullptr;
  const uint8_t* program_end = nullptr;
  uint8_t fde_encoding = 0;
  bool has_augmentation_data = false;
};

bool parse_augmentation(const char* letters, ByteReader* reader, Cie* out) {
  if (*letters == '\0') return true;
  if (*letters != 'z') return false;
  out->has_augmentation_data = true;
  const uint64_t bytes = reader->uleb();
  const uint8_t* const begin = reader->position();
  reader->skip(bytes);
  if (!reader->ok()) return false;
  ByteReader data(begin, reader->position());
  for (const char* letter = letters + 1; *letter != '\0'; letter++) {
    switch (*letter) {
      case 'R':
        out->fde_encoding = data.fixed<uint8_t>();
        break;
      case 'L':
        data.skip(1);
        break;
      case 'P': {
        const size_t pointer = encoded_bytes(data.fixed<uint8_t>());
        if (pointer == 0) return false;
        data.skip(pointer);
        break;
      }
      case 'B':
        break;  // which key signs return addresses
      default:
        return false;  // 'S': a signal frame; others are unknown
    }
  }
  return data.ok();
}

bool parse_cie(const UnwindModule& module, uintptr_t at, Cie* out) {
  const uint8_t* begin;
  if (!entry_range(module, at, &begin, &out->program_end)) return false;
  ByteReader reader(begin, out->program_end);
  if (reader.fixed<uint32_t>() != 0) return false;  // not a CIE
  const auto version = reader.fixed<uint8_t>();
  if (version != 1 && version != 3) return false;
  const auto* const letters = reinterpret_cast<const char*>(reader.position());
  while (reader.fixed<char>() != '\0') {
    if (!reader.ok()) return false;
  }
  out->alignments.code = reader.uleb();
  out->alignments.data = reader.sleb();
  const uint64_t ra_column = version == 1 ? reader.fixed<uint8_t>() : reader.uleb();
  if (!reader.ok() || ra_column != kRaColumn || !parse_augmentation(letters, &reader, out))
    return false;
  out->program = reader.position();
  return true;
}

bool covers(uintptr_t function, uint64_t bytes, uintptr_t pc) { return pc - function < bytes; }

// The code to which a signal handler returns; libgcc knows it by its bytes.
#if defined(__x86_64__)
constexpr uint8_t kSigreturn[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
#else
constexpr uint8_t kSigreturn[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
#endif

bool is_sigreturn(uintptr_t at) {
  return memcmp(reinterpret_cast<const void*>(at), kSigreturn, sizeof(kSigreturn)) == 0;
}

// How the code at pc, of which no table tells, is to be left. libgcc looks at the return address.
DerivedRule rule_without_entry(const UnwindModule& module, uintptr_t pc) {
  DerivedRule result;
  if (!module.contains(pc + 1, sizeof(kSigreturn)) || !is_sigreturn(pc + 1))
    result.rule.cfa = CfaRule::kEndOfStack;
  return result;
}

}  // namespace

FrameRule rule_outside_images(uintptr_t pc) {
  FrameRule rule;
  const uintptr_t next = pc + 1;
  // On x86-64 a handler returns to the C library. On aarch64 it is the kernel that has the code, in
  // the vDSO or, when it is emulated (qemu), in a page of no image.
  const bool sigreturn = kHasLinkRegister && next % 4 == 0 && readable(next) && is_sigreturn(next);
  // Makers of code may have registered tables with libgcc.
  if (!sigreturn && !libgcc_describes(pc)) rule.cfa = CfaRule::kEndOfStack;
  return rule;
}

DerivedRule derive_rule(const UnwindModule& module, uintptr_t pc) {
  FdePlace place;
  switch (search_fde(module, pc, &place)) {
    case FdeSearch::kNone:
      return rule_without_entry(module, pc);
    case FdeSearch::kUnusual:
      return complex_rule();
    case FdeSearch::kCandidate:
      break;
  }
  const uint8_t* begin;
  const uint8_t* end;
  if (!entry_range(module, place.fde, &begin, &end)) return complex_rule();
  ByteReader reader(begin, end);
  const auto cie_distance = reader.fixed<uint32_t>();
  const uintptr_t cie_at = place.fde + sizeof(uint32_t) - cie_distance;
  Cie cie;
  if (!parse_cie(module, cie_at, &cie)) return complex_rule();
  uint64_t function_bytes;
  switch (encoded_bytes(cie.fde_encoding)) {
    case 4:
      reader.skip(4);
      function_bytes = reader.fixed<uint32_t>();
      break;
    case 8:
      reader.skip(8);
      function_bytes = reader.fixed<uint64_t>();
      break;
    default:
      return complex_rule();
  }
  if (cie.has_augmentation_data) reader.skip(reader.uleb());
  if (!reader.ok()) return complex_rule();
  if (!covers(place.function, function_bytes, pc)) return rule_without_entry(module, pc);

  DerivedRule result;
  CfaProgram program(cie.alignments, pc - place.function);
  ByteReader initial(cie.program, cie.program_end);
  if (program.run(&initial) && program.run(&reader)) result.rule = program.rule();
  const auto used = static_cast<size_t>(reader.position() - begin) + sizeof(uint32_t);
  if (used < kFdeHeadBytes || used > kMaxFdeBytes || !module.contains(cie_at, kCieHeadBytes))
    return result;
  result.fde = place.fde;
  result.fde_bytes = static_cast<uint32_t>(used);
  return result;
}

}  // namespace liballoc
