// thread_cache.h - a thread's private stock of free slots and page runs. No lock on a hit.
//
// Per cache class a bin: an array used as a stack, in front of one span that the thread owns. A bin is filled from that span's
// bitmap window and emptied into the class's central list. Any thread's objects may be pushed: a bin asks for nothing but the
// class. A slot in a bin counts as taken in its span's bitmap.
// The hot head (ThreadCache) lies in memory that the kernel wipes in the child of a fork: there every bin is empty and full at
// once, so the child's first malloc or free takes the slow path, however the child was made. Where it lies, and its counters
// beside it: thread_region.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/heap/heap.h"
#include "liballoc/heap/page_cache.h"
#include "liballoc/heap/tiny_block.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

struct ThreadState;

struct alignas(32) Bin {
  void** top = nullptr;    // next push goes here; base <= top <= limit
  void** base = nullptr;
  void** limit = nullptr;  // grows with use up to max_slots(); equal to base: the thread keeps none yet
  uint64_t unused = 0;
};

// What a hit touches. All zero: every path is the slow path.
struct ThreadCache {
  Bin bins[kCacheClasses];
  ThreadState* state = nullptr;  // null: never set up, or wiped by a fork
};

// Slots a bin may hold: 256 KiB worth, between 8 and 16384.
constexpr uint32_t max_slots(unsigned size_class) {
  if (size_class == 0) return 0;
  const uint32_t n = 262144 / kClasses[size_class].bytes;
  return n < 8 ? 8 : n > 16384 ? 16384 : n;
}

static_assert(max_slots(1) <= UINT16_MAX, "they are noted in 16 bits");

// Classes with so few slots to a span that a thread takes slots from the central list rather than own a span.
constexpr bool takes_slots_directly(unsigned size_class) { return kClasses[size_class].objects <= 8; }

// Of the bins of every class together.
inline constexpr size_t kAllSlots = [] {
  size_t n = 0;
  for (unsigned c = 0; c < kCacheClasses; c++) n += max_slots(size_class_of(c));
  return n;
}();

// Up to here a bin has its slots in a place that touches little memory.
inline constexpr uint32_t kFewSlots = 32;

// Bytes of free slots beyond which a thread's bins stop growing.
inline constexpr uint64_t kMaxBinBytes = uint64_t{4} << 20;

struct ThreadState {
  ThreadCache* cache;         // in wiped pages of the region
  std::byte* region;
  std::byte* view;            // from here the region's pages are another's; null: all are its own
  const liballoc_abi_class_counter* counters;  // of the thread's block, by cache class
  void** few;                 // storage of bins that hold few slots, side by side: kFewSlots each
  void** slots;               // storage of those that grew
  Span* spans[kCacheClasses]; // owned span per class, null = none yet (the empty sentinel)
  uint16_t fill[kCacheClasses];  // slots the next refill asks for
  uint16_t noted[kCacheClasses];  // slots in each bin at its last slow path
  uint8_t declined[kCacheClasses];  // frees of a class that was never asked for
  uint64_t bin_bytes;             // their sum in bytes
  uint64_t seen_refills[kCacheClasses];  // the counter's at the last thread_cache_shrink()
  PageCache pages;
  TinyCursor tiny;
  Bin* saved_bins;  // kCacheClasses of them, as they were when fork() was called
  bool saved;
};

// False when bins are wiped or new: reset them before use.
bool thread_cache_is_ready(const ThreadState& state);
// Drops what a thread held that does not exist in this process; its slots are lost.
void thread_cache_forget(ThreadState& state);
// Points bins at their storage, empty.
void thread_cache_reset_bins(ThreadState& state);

// Fills the bin of a class and pops one slot of it. Null when memory ran out. *zero: the slot was never handed out and reads as
// zero.
[[nodiscard]] void* thread_cache_refill(Heap& heap, ThreadState& state, unsigned cache_cls, bool* zero);
// Whether the thread may keep slots of the class. Until it asks for objects of it, the first few that it frees are better off in
// their spans: they lie beside objects of the thread that made them, and would be what this thread is given next (false
// sharing). After that it is a thread that frees what others make.
[[nodiscard]] bool thread_cache_keeps(ThreadState& state, unsigned cache_cls);
// Makes room in a full bin: lets it grow, or gives the older half back. *bad as CentralList::free_slots(); false then, and the
// slot that could not be freed is *culprit.
[[nodiscard]] bool thread_cache_make_room(Heap& heap, ThreadState& state, unsigned cache_cls, BadFree* bad,
                                          void** culprit);
// Gives a part of each bin back that was neither filled nor emptied into others since the last call: it never ran out, so what lies
// at its bottom serves nobody. To be called now and then. False as above.
[[nodiscard]] bool thread_cache_shrink(Heap& heap, ThreadState& state, BadFree* bad, void** culprit);
// Gives everything back: bins, owned spans, page runs. False as above.
[[nodiscard]] bool thread_cache_flush(Heap& heap, ThreadState& state, BadFree* bad, void** culprit);

// A slot that is in a bin twice, or null: a double free that nobody has met yet.
void* thread_cache_repeated(const ThreadState& state);

// Bytes of free slots and page runs held, each bin as of its last slow path.
uint64_t thread_cache_bytes(const ThreadState& state);

// Around fork(): what the bins held, for the child to have again. save() runs in the parent before, restore() in the child.
void thread_cache_save_for_fork(ThreadState& state);
void thread_cache_restore_after_fork(ThreadState& state);

}  // namespace liballoc
