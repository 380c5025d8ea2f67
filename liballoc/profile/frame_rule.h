// frame_rule.h - how to get from a frame to its caller's, condensed to what a walk needs: the stack
// pointer, the frame pointer and the return address. Most frames have such a rule; the others are
// kComplex and left to libgcc's unwinder.
#pragma once

#include <cstdint>

namespace liballoc {

// DWARF numbers of the registers that a walk follows.
#if defined(__x86_64__)
inline constexpr uint64_t kSpColumn = 7, kFpColumn = 6, kRaColumn = 16;
inline constexpr bool kHasLinkRegister = false;
#elif defined(__aarch64__)
inline constexpr uint64_t kSpColumn = 31, kFpColumn = 29, kRaColumn = 30;
inline constexpr bool kHasLinkRegister = true;
#else
#error "unwinding knows x86-64 and aarch64"
#endif

// The canonical frame address: what the stack pointer is in the caller after the call.
enum class CfaRule : uint8_t {
  kComplex,     // not for us
  kEndOfStack,  // the frame has no caller
  kSp,          // sp + cfa_offset
  kFp,          // fp + cfa_offset
  kFpLoad,      // the word at fp + cfa_offset (functions that realign their stack)
};

enum class FpRule : uint8_t {
  kUnchanged,
  kAtCfa,
  kAtFp
};  // at CFA, at the frame's own fp, + fp_slot words

struct FrameRule {
  int32_t cfa_offset = 0;
  int16_t fp_slot = 0;
  int16_t ra_slot = 0;  // return address at CFA + ra_slot words; 0: still in the link register
  CfaRule cfa = CfaRule::kComplex;
  FpRule fp = FpRule::kUnchanged;
  bool ra_signed = false;  // carries an aarch64 pointer authentication code
};

}  // namespace liballoc
