// rule_cache.h - remembers the rule of each pc that a walk has met. Fixed size, no lock: safe in a
// signal handler, in several threads at once, and in a child that was forked while another thread
// was writing.
//
// A slot's first word holds the pc and a sequence that is odd while the rest is being written, so
// that a reader never uses half of one rule and half of another. A rule is used only if the image
// at pc has the fingerprint it had, and the table entries from which the rule was read still hold
// the same bytes: after dlclose and dlopen another image may lie there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
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

  // `memory`: kBytes, zero, aligned to a page, for good. Before it is called the cache is
  // empty and stays so.
  void init(void* memory);
  bool active() const;

  LIBALLOC_INLINE bool find(uintptr_t pc, const UnwindModule& module, FrameRule* out) const;
  // Leaves out what cannot be told again or does not fit.
  void keep(uintptr_t pc, const UnwindModule& module, const DerivedRule& derived);

 private:
  Slot* slots_ = nullptr;  // set once, before its contents matter
};

// The rest is what find() needs to be inlined into the walk's loop.
namespace rule_cache_detail {

inline constexpr unsigned kPcBits = 48;
inline constexpr uint64_t kPcMask = (uint64_t{1} << kPcBits) - 1;
inline constexpr uint64_t kSequenceUnit = uint64_t{1} << kPcBits;
inline constexpr unsigned kBytesShift = 32, kCfaShift = 48, kFpShift = 56,
                          kSignedShift = 63;  // in Slot::source

// The pcs of one page of code share a page of the table, so that a program whose stacks pass through little code has little of the
// table in memory.
LIBALLOC_INLINE size_t home_of(uintptr_t pc) {
  constexpr size_t kPageBytes = 4096;
  constexpr unsigned kPages = RuleCache::kBytes / kPageBytes;
  constexpr unsigned kSetsInPage = kPageBytes / sizeof(RuleCache::Slot) / RuleCache::kWays;
  static_assert(std::has_single_bit(kPages) && std::has_single_bit(kSetsInPage));
  constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
  const size_t page = (pc / kPageBytes * kFactor) >> (64 - (std::bit_width(kPages) - 1));
  const size_t set = (pc * kFactor) >> (64 - (std::bit_width(kSetsInPage) - 1));
  return RuleCache::kWays * (page * kSetsInPage + set);
}

LIBALLOC_INLINE uint64_t load_8_bytes(uintptr_t at) {
  uint64_t value;
  memcpy(&value, reinterpret_cast<const void*>(at), sizeof(value));
  return value;
}

// Of the first `bytes` of an entry, at least kFdeHeadBytes, and of the head of its CIE.
LIBALLOC_INLINE uint32_t hash_source(uintptr_t fde, uint32_t bytes) {
  constexpr uint64_t kFactor = 0x9fb21c651e98df25;
  const uint64_t first = load_8_bytes(fde);
  const uintptr_t cie = fde + 4 - (first >> 32);
  const uintptr_t last = fde + bytes - 8;
  uint64_t hash = (first ^ load_8_bytes(cie + 8)) * kFactor;
  hash = (hash ^ load_8_bytes(cie + 16)) * kFactor;
  for (uintptr_t at = fde + 8; at < last; at += 8) hash = (hash ^ load_8_bytes(at)) * kFactor;
  hash = (hash ^ load_8_bytes(last)) * kFactor;
  return static_cast<uint32_t>(hash >> 32);
}

}  // namespace rule_cache_detail

LIBALLOC_INLINE bool RuleCache::find(uintptr_t pc, const UnwindModule& module,
                                     FrameRule* out) const {
  using namespace rule_cache_detail;
  const Slot* const slots = load_acquire(&slots_);
  if (LIBALLOC_UNLIKELY(slots == nullptr)) return false;
  const Slot* slot = slots + home_of(pc);
  for (size_t way = 0; way < kWays; way++, slot++) {
    const uint64_t tag = load_acquire(&slot->tag);
    if ((tag & (kPcMask | kSequenceUnit)) != pc)
      continue;  // pc has no bit in common with the sequence
    // Acquire: the tag below is read after these.
    const uint64_t rule = load_acquire(&slot->rule);
    const uint64_t source = load_acquire(&slot->source);
    const uint64_t check = load_acquire(&slot->check);
    if (LIBALLOC_UNLIKELY(load_relaxed(&slot->tag) != tag)) continue;
    // The same image, hence the entry is still in it and may be read.
    if (LIBALLOC_UNLIKELY(static_cast<uint32_t>(check) != module.fingerprint)) continue;
    if (!module.permanent) {
      const auto distance = static_cast<intptr_t>(static_cast<int32_t>(source));
      const uintptr_t fde = module.header + static_cast<uintptr_t>(distance);
      if (hash_source(fde, source >> kBytesShift & UINT16_MAX) != check >> 32) continue;
    }
    out->cfa_offset = static_cast<int32_t>(rule);
    out->fp_slot = static_cast<int16_t>(rule >> 32);
    out->ra_slot = static_cast<int16_t>(rule >> 48);
    out->cfa = static_cast<CfaRule>(source >> kCfaShift & 0xff);
    out->fp = static_cast<FpRule>(source >> kFpShift & 0x7f);
    out->ra_signed = source >> kSignedShift != 0;
    return true;
  }
  return false;
}

}  // namespace liballoc
