// specials.h - marks on single objects of a span, sorted by slot: how free() finds that an object was sampled. A span with
// specials has its class bytes cleared in the arena map, so that its frees take the slow path, and only its frees.
// Locks: one lock of its own (rank kSpecials) guards the lists of all spans, their class bytes and the record storage.
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

// False when metadata ran out: the object then goes unmarked. The slot must be taken and have no special yet.
[[nodiscard]] bool add_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t sample_record);
// The sample record of the slot's special, which is removed; 0 = it has none.
uint32_t remove_special(ArenaMap& map, Span* span, uint32_t slot);
// The sample record of the slot's special; 0 = it has none.
uint32_t find_special(const Span* span, uint32_t slot);
// Forgets every sample record on the span (the child of a fork does not have its parent's table).
void clear_specials(ArenaMap& map, Span* span);

// Without the lock: the owner of an object sees true when its own object has one.
inline bool has_specials(const Span* span) { return load_relaxed(&span->specials) != nullptr; }

uint64_t specials_inuse_bytes();
uint64_t specials_inuse_count();
uint64_t specials_sys_bytes();
void specials_lock_for_fork();
void specials_unlock_after_fork(bool in_child);

}  // namespace liballoc
