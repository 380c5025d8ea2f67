// rule_cache.cc - see rule_cache.h.
#include "liballoc/profile/rule_cache.h"

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"

namespace liballoc {

using namespace rule_cache_detail;

namespace {

uint64_t pack_rule(const FrameRule& rule) {
  return static_cast<uint32_t>(rule.cfa_offset) |
         static_cast<uint64_t>(static_cast<uint16_t>(rule.fp_slot)) << 32 |
         static_cast<uint64_t>(static_cast<uint16_t>(rule.ra_slot)) << 48;
}

uint64_t pack_kinds(const FrameRule& rule) {
  return static_cast<uint64_t>(rule.cfa) << kCfaShift | static_cast<uint64_t>(rule.fp) << kFpShift |
         static_cast<uint64_t>(rule.ra_signed) << kSignedShift;
}

}  // namespace

void RuleCache::init(void* memory) { store_release(&slots_, static_cast<Slot*>(memory)); }

bool RuleCache::active() const { return load_relaxed(&slots_) != nullptr; }

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
                                   pack_kinds(derived.rule));
  store_release(&slot->check, module.fingerprint |
                                  static_cast<uint64_t>(hash_source(derived.fde, derived.fde_bytes))
                                      << 32);
  store_release(&slot->tag, ((writing + kSequenceUnit) & ~kPcMask) | pc);
}

}  // namespace liballoc
