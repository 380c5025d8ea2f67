// frame_walk.cc - see frame_walk.h. Each read of the stack is checked: aligned, not below the stack
// pointer, not above the caller's frame. Where the tables lead elsewhere the walk ends with the
// frames it has.
#include "liballoc/profile/frame_walk.h"

#include "liballoc/base/compiler.h"
#include "liballoc/profile/frame_read.h"
#include "liballoc/profile/permanent_images.h"

namespace liballoc {

namespace {

constexpr uintptr_t kWordBytes = sizeof(uintptr_t);
constexpr uintptr_t kMaxFrameBytes = uintptr_t{1} << 28;
// Tables go on naming the place of a register that has been popped already; what is there is
// intact.
constexpr uintptr_t kBelowSpBytes = 128;

// The images of the frames so far; most frames are of the same few.
class ModuleMemo {
 public:
  // Null: no image.
  const UnwindModule* find(uintptr_t pc) {
    if (LIBALLOC_LIKELY(last_ != nullptr && last_->contains(pc))) return last_;
    if (const UnwindModule* known = permanent_image(pc)) return last_ = known;
    for (unsigned i = 0; i < count_; i++) {
      if (modules_[i].contains(pc)) return last_ = &modules_[i];
    }
    UnwindModule* const slot = &modules_[count_ < kModules ? count_ : kModules - 1];
    last_ = nullptr;
    if (!find_unwind_module(pc, slot)) {
      if (count_ == kModules) count_--;  // what was there is gone
      return nullptr;
    }
    if (count_ < kModules) count_++;
    return last_ = slot;
  }

 private:
  static constexpr unsigned kModules = 6;
  UnwindModule modules_[kModules];
  unsigned count_ = 0;
  const UnwindModule* last_ = nullptr;
};

FrameRule find_rule(RuleCache& cache, ModuleMemo& modules, uintptr_t return_address, WalkReads* reads) {
  const uintptr_t pc = return_address - 1;
  const UnwindModule* const module = modules.find(pc);
  if (LIBALLOC_UNLIKELY(reads != nullptr) && (module == nullptr || !module->permanent)) reads->give_up();
  if (LIBALLOC_UNLIKELY(module == nullptr)) return rule_outside_images(pc);
  FrameRule rule;
  if (LIBALLOC_LIKELY(cache.find(pc, *module, &rule))) return rule;
  const DerivedRule derived = derive_rule(*module, pc);
  cache.keep(pc, *module, derived);
  return derived.rule;
}

// Whether a word at `at` lies in [low, high); both are aligned.
bool holds_word(uintptr_t at, uintptr_t low, uintptr_t high) {
  return at - low < high - low && at % kWordBytes == 0;
}

uintptr_t plus_slots(uintptr_t base, int slots) {
  return base + static_cast<uintptr_t>(static_cast<intptr_t>(slots)) * kWordBytes;
}

// The address without the authentication code that a processor may have put into its high bits.
uintptr_t strip_signature(uintptr_t address) {
#if defined(__aarch64__)
  register uintptr_t lr __asm__("x30") = address;
  __asm__("hint #7" : "+r"(lr));  // xpaclri: no operation on processors without the feature
  return lr;
#else
  return address;
#endif
}

// The registers of a frame, and where its frame pointer was read: 0 = it is the one the walk began with.
struct Frame : FrameRegisters {
  uintptr_t fp_read_at = 0;
};

// An address is made from the frame pointer.
void note_fp(const Frame& at, WalkReads* reads) {
  if (reads == nullptr) return;
  if (at.fp_read_at == 0) reads->note_first_fp();
  else reads->note(at.fp_read_at, at.fp);
}

// Turns the registers of a frame into those of its caller. False: there is nothing behind it.
bool step(const FrameRule& rule, bool first, Frame* at, WalkReads* reads) {
  if (rule.cfa != CfaRule::kSp || rule.fp == FpRule::kAtFp) note_fp(*at, reads);
  const auto offset = static_cast<uintptr_t>(static_cast<intptr_t>(rule.cfa_offset));
  uintptr_t cfa = (rule.cfa == CfaRule::kSp ? at->sp : at->fp) + offset;
  if (rule.cfa == CfaRule::kFpLoad) {
    if (!holds_word(cfa, at->sp, at->sp + kMaxFrameBytes)) return false;
    const uintptr_t loaded = load_frame_word(cfa);
    if (reads != nullptr) reads->note(cfa, loaded);
    cfa = loaded;
  }
  // Not below the stack pointer (it would be far above by this difference), not absurdly far.
  if ((cfa | at->sp) % kWordBytes != 0 || cfa - at->sp > kMaxFrameBytes) return false;

  const uintptr_t lowest = at->sp - kBelowSpBytes;
  uintptr_t fp = at->fp, fp_read_at = at->fp_read_at;
  if (rule.fp != FpRule::kUnchanged) {
    const uintptr_t saved = plus_slots(rule.fp == FpRule::kAtCfa ? cfa : at->fp, rule.fp_slot);
    if (!holds_word(saved, lowest, cfa)) return false;
    fp = load_frame_word(saved);
    fp_read_at = saved;
  }
  uintptr_t ra = at->lr;
  if (LIBALLOC_LIKELY(rule.ra_slot != 0)) {
    const uintptr_t saved = plus_slots(cfa, rule.ra_slot);
    if (saved - lowest >= cfa - lowest) return false;
    ra = load_frame_word(saved);
    if (reads != nullptr) reads->note(saved, ra);
  } else if (!first) {
    return false;  // only the innermost function can have it in a register still
  }
  at->pc = rule.ra_signed ? strip_signature(ra) : ra;
  at->sp = cfa;
  at->fp = fp;
  at->fp_read_at = fp_read_at;
  return at->pc != 0;
}

}  // namespace

bool walk_frames(RuleCache& cache, const FrameRegisters& from, FrameSink* sink, WalkReads* reads) {
  Frame at{from};
  ModuleMemo modules;
  for (bool first = true;; first = false) {
    const FrameRule rule = find_rule(cache, modules, at.pc, reads);
    if (rule.cfa == CfaRule::kComplex) return false;
    if (!sink->add(at.pc)) return true;
    if (rule.cfa == CfaRule::kEndOfStack || !step(rule, first, &at, reads)) return true;
  }
}

}  // namespace liballoc
