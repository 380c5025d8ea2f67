// central_list.h - the spans of one cache class: those with free slots, and those that are full or cached by a thread. Gives
// threads spans to fill their bins from, and takes back slots that no thread wants.
//
// Slots come back as mark bits; a span is swept (marks folded into its bitmap) when it is asked for. Outcomes of a sweep: the
// span is empty and goes back to the page heap; it has free slots and goes on the partial list; or straight to the
// cache that asked.
// Locks: lock_ (rank kCentral) guards both lists and the marks of every span of this class. The page heap is called with
// no lock of ours held. One cache line per list, so that classes do not share one.
#pragma once

#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/heap/span.h"

namespace liballoc {

class alignas(kCacheLineBytes) CentralList {
 public:
  constexpr CentralList() = default;
  // `lists`: those of all classes, by cache class; null: there are no others.
  void init(unsigned cache_cls, PageHeap* heap, CentralList* lists = nullptr) {
    cache_class_ = static_cast<uint8_t>(cache_cls);
    heap_ = heap;
    lists_ = lists;
  }

  // Gives `old` back (may be null: the empty sentinel) and returns a span with at least one free slot, now owned by `owner`; null
  // when memory ran out (`old` is given back all the same). `old` itself is returned when other threads freed slots of it.
  [[nodiscard]] Span* cache_span(Span* old, ThreadState* owner);
  // For classes with few slots to a span: up to n free slots from as many spans as it takes, none of which the caller comes to
  // own; the first into end[-1] and so on down. Returns how many; 0 when memory ran out. *zero: the first reads as zero.
  [[nodiscard]] uint32_t take_slots(void** end, uint32_t n, bool* zero);
  // Gives a cached span back without asking for another.
  void uncache_span(Span* span);
  // Slots nobody holds any more. Stops at the first that cannot be: *bad says which and why. Returns how many were taken back.
  // One of another class, where sizes were ever trusted, came by a sized delete that said the wrong one: it goes to its own list,
  // and sizes are trusted no more. An object that lies in no slot is lost.
  uint32_t free_slots(void* const* slots, uint32_t n, BadFree* bad);

  void lock_for_fork() { lock_.lock(); }
  void unlock_after_fork(bool in_child) { in_child ? lock_.reset_after_fork() : lock_.unlock(); }

  struct Counts {
    uint64_t partial, full;
  };
  Counts counts();
  // Ends the process unless every span on a list says so itself, and its bitmap is sound.
  void verify();

 private:
  // Sweeps a span that no thread owns and files it; true when it is empty and off the lists: the caller frees it, unlocked.
  bool release_locked(Span* span);
  // All three end the process when the span's record was overwritten.
  void check_shape_locked(const Span* span);
  void check_locked(const Span* span);
  void sweep_locked(Span* span);
  uint32_t free_own_slots(void* const* slots, uint32_t n, BadFree* bad);
  // For a slot that is not allocated, as far as this class goes. False: nor otherwise, or *bad.
  bool free_stranger(void* slot, BadFree* bad);
  void file_locked(Span* span, SpanPlace place);
  void unfile_locked(Span* span);
  Span* grow(ThreadState* owner);
  bool grow_partial();

  SpinLock lock_{LockRank::kCentral};
  uint8_t cache_class_ = 0;
  SpanList partial_;
  SpanList full_;  // full, or cached by a thread
  PageHeap* heap_ = nullptr;
  CentralList* lists_ = nullptr;
};

}  // namespace liballoc
