// rule_cache.cc - see rule_cache.h.
#include "liballoc/profile/rule_cache.h"

#include <bit>
#include <cstring>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"

namespace liballoc {

namespace {

constexpr unsigned kPcBits = 48;
constexpr uint64_t kPcMask = (uint64_t{1} << kPcBits) - 1;
constexpr uint64_t kSequenceUnit = uint64_t{1} << kPcBits;

size_t home_of(uintptr_t pc) {
  constexpr unsigned kSets = RuleCache::kSlots / RuleCache::kWays;
  static_assert(std::has_single_bit(kSets));
  constexpr unsigned kShift = 64 - (std::bit_width(kSets) - 1);
  return RuleCache::kWays * ((pc * 0x9e3779b97f4a7c15) >> kShift);
}

template <typename T>
T load_unaligned(uintptr_t at) {
  T value;
  memcpy(&value, reinterpret_cast<const void*>(at), sizeof(value));
  return value;
}

// Of the first `bytes` of an entry and the head of its CIE. At least kFdeHeadBytes.
uint32_t hash_source(uintptr_t fde, uint32_t bytes) {
  constexpr uint64_t kFactor = 0x9fb21c651e98df25;
  uint64_t hash = bytes;
  for (uint32_t at = 0; at + 8 <= bytes; at += 8)
    hash = std::rotr((hash ^ load_unaligned<uint64_t>(fde + at)) * kFactor, 32);
  hash = std::rotr((hash ^ load_unaligned<uint64_t>(fde + bytes - 8)) * kFactor, 32);
  const uintptr_t cie = fde + 4 - load_unaligned<uint32_t>(fde + 4);
  hash = std::rotr((hash ^ load_unaligned<uint64_t>(cie + 8)) * kFactor, 32);
  hash = (hash ^ load_unaligned<uint64_t>(cie + 16)) * kFactor;
  return static_cast<uint32_t>(hash >> 32);
}

uint64_t pack_rule(const FrameRule& rule) {
  return static_cast<uint32_t>(rule.cfa_offset) |
         static_cast<uint64_t>(static_cast<uint16_t>(rule.fp_slot)) << 32 |
         static_cast<uint64_t>(static_cast<uint16_t>(rule.ra_slot)) << 48;
}

uint16_t pack_kinds(const FrameRule& rule) {
  return static_cast<uint16_t>(static_cast<unsigned>(rule.cfa) |
                               static_cast<unsigned>(rule.fp) << 4 |
                               static_cast<unsigned>(rule.ra_signed) << 8);
}

FrameRule unpack(uint64_t rule, uint64_t source) {
  const unsigned kinds = static_cast<unsigned>(source >> 48);
  FrameRule result;
  result.cfa_offset = static_cast<int32_t>(rule);
  result.fp_slot = static_cast<int16_t>(rule >> 32);
  result.ra_slot = static_cast<int16_t>(rule >> 48);
  result.cfa = static_cast<CfaRule>(kinds & 0xf);
  result.fp = static_cast<FpRule>(kinds >> 4 & 0xf);
  result.ra_signed = (kinds >> 8 & 1) != 0;
  return result;
}

}  // namespace

void RuleCache::init(void* memory) { store_release(&slots_, static_cast<Slot*>(memory)); }

bool RuleCache::active() const { return load_relaxed(&slots_) != nullptr; }

bool RuleCache::find(uintptr_t pc, const UnwindModule& module, FrameRule* out) const {
  const Slot* const slots = load_acquire(&slots_);
  if (LIBALLOC_UNLIKELY(slots == nullptr)) return false;
  const Slot* slot = slots + home_of(pc);
  for (size_t way = 0; way < kWays; way++, slot++) {
    const uint64_t tag = load_acquire(&slot->tag);
    if ((tag & kPcMask) != pc || (tag & kSequenceUnit) != 0) continue;
    // Acquire: the tag below is read after these.
    const uint64_t rule = load_acquire(&slot->rule);
    const uint64_t source = load_acquire(&slot->source);
    const uint64_t check = load_acquire(&slot->check);
    if (LIBALLOC_UNLIKELY(load_relaxed(&slot->tag) != tag)) continue;
    // The same image, hence the entry is still in it and may be read.
    if (LIBALLOC_UNLIKELY(static_cast<uint32_t>(check) != module.fingerprint)) continue;
    const intptr_t distance = static_cast<int32_t>(source);
    const uintptr_t fde = module.header + static_cast<uintptr_t>(distance);
    if (LIBALLOC_UNLIKELY(hash_source(fde, source >> 32 & 0xffff) != check >> 32)) continue;
    *out = unpack(rule, source);
    return true;
  }
  return false;
}

void RuleCache::keep(uintptr_t pc, const UnwindModule& module, const DerivedRule& derived) {
  Slot* const slots = load_acquire(&slots_);
  if (slots == nullptr || derived.fde_bytes == 0 || pc > kPcMask || pc == 0) return;
  const auto distance = static_cast<intptr_t>(derived.fde - module.header);
  if (distance != static_cast<int32_t>(distance)) return;

  // The slot that has this pc already, else a free one, else either by chance. Never one that is
  // being written: in the child of a fork it may stay so for good.
  Slot* const home = slots + home_of(pc);
  Slot* slot = nullptr;
  for (size_t way = 0; way < kWays; way++) {
    Slot* const one = home + (way + (pc >> 4)) % kWays;
    const uint64_t tag = load_relaxed(&one->tag);
    if ((tag & kSequenceUnit) != 0) continue;
    if (slot == nullptr || (tag & kPcMask) == 0) slot = one;
    if ((tag & kPcMask) == pc) {
      slot = one;
      break;
    }
  }
  if (slot == nullptr) return;

  uint64_t tag = load_relaxed(&slot->tag);
  if ((tag & kSequenceUnit) != 0) return;  // somebody else's turn
  const uint64_t writing = (tag + kSequenceUnit) & ~kPcMask;
  if (!__atomic_compare_exchange_n(&slot->tag, &tag, writing, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED))
    return;
  // Release: a reader that sees one of these sees the odd sequence too.
  store_release(&slot->rule, pack_rule(derived.rule));
  store_release(&slot->source, static_cast<uint32_t>(distance) |
                                   static_cast<uint64_t>(derived.fde_bytes) << 32 |
                                   static_cast<uint64_t>(pack_kinds(derived.rule)) << 48);
  store_release(&slot->check, module.fingerprint |
                                  static_cast<uint64_t>(hash_source(derived.fde, derived.fde_bytes))
                                      << 32);
  store_release(&slot->tag, ((writing + kSequenceUnit) & ~kPcMask) | pc);
}

}  // namespace liballoc
