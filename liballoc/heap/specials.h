// specials.h - marks on single objects of a span, sorted by slot: how free() finds that an object was sampled. The class byte of the
// page on which such an object starts is cleared in the arena map, so that frees of what starts there leave the hit path, and only
// those. The span's filter then tells slots that have no special from those that may, so that a sampled object's neighbours cost a
// few instructions more.
// Sized deletes look at no class: callers count the page beside (mark_page() of size_trust.h), since that waits for all stores before it.
// Locks: whoever looks at a span's list or changes it holds the span's specials_lock. What a lane keeps (base/lanes.h) has no lock
// here: the caller keeps calls that name the same lane apart, and fork away from all of them (core/sampling).
#pragma once

#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/span.h"

namespace liballoc {

struct Special {
  Special* next;
  uint32_t slot;           // 0 for a large object
  uint32_t sample_record;  // in the segment's live-sample table
};

// Sees to it that the lane's next add_special() needs no memory. False when metadata ran out.
[[nodiscard]] bool reserve_special(uint32_t lane);
// False when metadata ran out: the object then goes unmarked. The slot must be taken and have no special yet.
[[nodiscard]] bool add_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t sample_record, uint32_t lane = 0);
// The sample record of the slot's special, which is removed; 0 = it has none.
uint32_t remove_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t lane = 0);
// The sample record of the slot's special; 0 = it has none.
uint32_t find_special(const Span* span, uint32_t slot);
// For the child of a fork, which does not have its parent's table: forgets every sample record on the span, its page's mark, and who held
// its lock.
void clear_specials(ArenaMap& map, Span* span);

// Without the lock: the owner of an object sees true when its own object has one.
inline bool has_specials(const Span* span) { return load_relaxed(&span->specials) != nullptr; }

// The slot's bit in its span's filter.
LIBALLOC_INLINE uint64_t special_filter_bit(uint32_t slot) { return uint64_t{1} << (slot % 64); }
// The class of the bin that takes the slot, when its span has specials and this slot has none; 0 = look closer, also at what is
// no slot's start. For the object's owner, without the lock: the bit of a special was set before the object was handed out and
// stays until it is freed (relaxed: whatever handed the pointer over orders them), and a span with an object in use keeps its
// class.
LIBALLOC_INLINE unsigned class_beside_specials(const Span* span, uintptr_t address) {
  const unsigned cls = span->special_class.load(std::memory_order_relaxed);
  const uintptr_t offset = address - span->base;
  // Out of range: the page still names a span that was there before.
  if (LIBALLOC_UNLIKELY(cls == 0) || LIBALLOC_UNLIKELY(offset >= span->bytes())) return 0;
  const uint32_t slot = slot_index(static_cast<uint32_t>(offset), span->magic);
  if (LIBALLOC_UNLIKELY(slot * span->object_bytes != offset)) return 0;
  const uint64_t filter = span->special_filter.load(std::memory_order_relaxed);
  return LIBALLOC_UNLIKELY((filter & special_filter_bit(slot)) != 0) ? 0 : cls;
}

uint64_t specials_inuse_bytes();
uint64_t specials_inuse_count();
uint64_t specials_sys_bytes();
void specials_lock_for_fork();
void specials_unlock_after_fork(bool in_child);

}  // namespace liballoc
