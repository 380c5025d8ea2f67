// span.h - a run of pages: either cut into equal slots of one size class, or one large object, or idle in the page heap.
//
// Slots: bit i of alloc_bits is set while slot i is taken. `alloc_cache` is a 64-bit window of the inverted bits, starting at
// free_index rounded by what was shifted out: its trailing zeros are the distance to the next free slot. Slots before
// free_index are never handed out again until a sweep. mark_bits gather slots that were freed since the last sweep; a sweep folds
// them into alloc_bits and starts over at slot 0.
// Invariant: alloc_count == slots taken by alloc_bits and the window; mark_count == set mark bits <= alloc_count.
//
// Who may touch what: window, alloc_bits, alloc_count: the owning thread while Cached, else the holder of the class's central
// lock. mark_bits, mark_count, list links, place: the central lock. Tree node, pages, base: the page heap's lock while Free.
// State changes: Free -> InUse and back by the page heap alone.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/check.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/heap/size_classes.h"

namespace liballoc {

struct FreeTreeNode;
struct Special;
struct ThreadState;

enum class SpanState : uint8_t { kDead = 0, kInUse, kManual, kFree };

// Where an in-use span is; only meaningful in state kInUse.
enum class SpanPlace : uint8_t { kNowhere = 0, kPartial, kFull, kCached, kLarge, kPageCached };

// What of the span's pages core dumps have: all; none, as noscan spans want it; or nobody knows, since the OS refused a change.
enum class InDumps : uint8_t { kAll = 0, kNone, kUnknown };

// Why a pointer handed to free() was refused.
enum class BadFree : uint8_t { kNone = 0, kForeign, kNotAllocated, kInterior, kDoubleFree };

struct Span {
  Span* next = nullptr;
  Span* prev = nullptr;
  uintptr_t base = 0;
  size_t pages = 0;
  // What free() needs of a span with specials to tell their slots from others without a lock (specials.h); both 0 without any.
  std::atomic<uint64_t> special_filter{0};
  std::atomic<uint8_t> special_class{0};
  mutable SpinLock specials_lock{LockRank::kSpanSpecials};  // guards `specials` and what tells of them; beside what its holder writes
  uint64_t* alloc_bits = nullptr;  // one block: alloc_bits, then mark_bits, bit_words each
  uint64_t* mark_bits = nullptr;
  uint64_t alloc_cache = 0;
  uint32_t free_index = 0;
  uint32_t objects = 0;      // slots; large: 1
  uint32_t object_bytes = 0; // slot size; large: 0
  uint32_t magic = 0;
  uint32_t alloc_count = 0;
  uint32_t mark_count = 0;
  uint32_t bit_words = 0;
  uint32_t telemetry_record = 0;  // number of its record in the segment's span table + 1, 0 = none
  std::atomic<SpanState> state{SpanState::kDead};  // release on InUse: pairs with find_span()'s acquire, the fields above are set
  SpanPlace place = SpanPlace::kNowhere;
  uint8_t size_class = 0;
  uint8_t cache_class = 0;
  bool noscan = false;
  bool need_zero = false;   // memory may hold old contents; of slots: free ones in the bitmap may
  bool named_throughout = false;  // each of its pages names it in the arena map; else the first and the last do
  bool recent = false;      // idle, kept by RecentSpans
  bool scavenged = false;   // Free: the OS has the pages back
  InDumps in_dumps = InDumps::kAll;  // others than kAll only while noscan or recent, unless the OS refused
  uint64_t unused_since = 0;  // ns, Free
  ThreadState* owner = nullptr;     // Cached, PageCached
  FreeTreeNode* node = nullptr;     // its own for life; in a tree while Free
  std::atomic<uint32_t>* tiny_words = nullptr;  // spans of kTinyClass: a word per slot (tiny_block.h)
  Special* specials = nullptr;      // sorted by slot; guarded by specials_lock
  void* telemetry = nullptr;        // that record; of a segment that is gone after a fork
  uint32_t all_spans_index = 0;

  size_t bytes() const { return pages << kPageShift; }
  uintptr_t end() const { return base + bytes(); }
  uintptr_t slot_address(uint32_t index) const { return base + size_t{index} * object_bytes; }

  // The slot that p lies in; p in [base, end).
  uint32_t slot_of(uintptr_t p) const { return slot_index(static_cast<uint32_t>(p - base), magic); }
  bool is_slot_start(uintptr_t p) const {
    const uint32_t i = slot_of(p);
    return i < objects && slot_address(i) == p;
  }

  // Next free slot inside the window, or null when the window has none or ends here (then next_free walks on).
  LIBALLOC_INLINE void* next_free_fast() {
    const unsigned skip = static_cast<unsigned>(std::countr_zero(alloc_cache));
    if (skip >= 64) return nullptr;
    const uint32_t result = free_index + skip;
    if (result >= objects) return nullptr;
    const uint32_t after = result + 1;
    if (after % 64 == 0 && after != objects) return nullptr;
    alloc_cache = alloc_cache >> skip >> 1;
    free_index = after;
    alloc_count++;
    return reinterpret_cast<void*>(slot_address(result));
  }
  // The same across windows; null when the span has no further free slot.
  void* next_free();
  // Up to n free slots in ascending order, the first into end[-1], the next into end[-2] and so on: a stack that hands them
  // out ascending. Returns how many.
  uint32_t take(void** end, uint32_t n);

  void init_small(unsigned cache_cls, uint64_t* bits, uint32_t words);
  // Marks the leading slots that lie in this span, stopping at the first that does not or that cannot be freed (*bad then says
  // why). Returns how many it marked. Caller: central lock.
  uint32_t mark_run(void* const* slots, uint32_t n, BadFree* bad);
  // Folds the marks in and restarts the window. Returns how many slots it found free. Caller: central lock, span not cached by
  // another thread.
  uint32_t sweep();
  bool test_mark(uint32_t slot) const { return (mark_bits[slot / 64] >> (slot % 64)) & 1; }
  void set_mark(uint32_t slot) {
    mark_bits[slot / 64] |= uint64_t{1} << (slot % 64);
    mark_count++;
  }
  // Whether the slot was ever handed out since it was last swept free.
  bool slot_taken(uint32_t slot) const;
  bool has_free_slot() const { return alloc_count - mark_count < objects; }

  // What is wrong with the fields that never change while the span is in use; null = nothing. About
  // 20 instructions.
  const char* wrong_shape() const;
  // The same, and whether counts and bitmaps agree: some 20 instructions per 64 slots more. Caller:
  // as for sweep().
  const char* damage() const;

  // Ends the process when an invariant is broken. For tests and debug builds; caller holds what
  // guards the span.
  void verify() const;

 private:
  uint32_t next_free_index();
  void refill_alloc_cache(uint32_t word);
};

// Ends the process: the allocator's record of the span is not what the allocator wrote. No lock of
// ours may be held.
[[noreturn]] LIBALLOC_COLD void report_damaged_span(const Span* span, const char* what);

// Doubly linked, intrusive; guarded by its owner's lock. The first one's prev is the last one.
class SpanList {
 public:
  bool empty() const { return first_ == nullptr; }
  Span* first() const { return first_; }
  Span* last() const { return first_ == nullptr ? nullptr : first_->prev; }
  void push_front(Span* s) {
    LIBALLOC_DCHECK(s->next == nullptr && s->prev == nullptr && first_ != s);
    s->prev = s;
    if (first_ != nullptr) {
      s->prev = first_->prev;
      first_->prev = s;
    }
    s->next = first_;
    first_ = s;
  }
  void remove(Span* s) {
    LIBALLOC_DCHECK(s->prev != nullptr && first_ != nullptr);
    Span* const next = s->next;
    if (next != nullptr) next->prev = s->prev;
    else first_->prev = s->prev;  // it was the last; of no use where it was the only one
    if (first_ == s) first_ = next;
    else s->prev->next = next;
    s->next = s->prev = nullptr;
  }

 private:
  Span* first_ = nullptr;
};

}  // namespace liballoc
