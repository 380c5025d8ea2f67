// page_heap.h - spans of whole pages: best fit, splitting, coalescing, growth, release to the OS.
//
// Free spans lie in one of two trees, by whether the OS has their pages back. The smaller fit wins; a tie takes the one whose
// pages are still backed.
// Invariants: every page between the first and last address of an arena's mapped part belongs to exactly one span; two free
// spans of the same kind never touch; heap_sys == in_use + idle, released <= idle. verify() checks all of them.
// Locks: lock_ (rank kPageHeap) guards everything but the arena map's tables, which readers use without it. Never calls up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/spin_lock.h"
#include "liballoc/heap/arena_hints.h"
#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/free_tree.h"
#include "liballoc/heap/recent_spans.h"
#include "liballoc/heap/span.h"
#include "liballoc/heap/tiny_block.h"
#include "liballoc/meta/fixed_alloc.h"
#include "liballoc/meta/linear_alloc.h"

namespace liballoc {

// Metadata bytes obtained from the OS, by purpose. The names are MemStats' own.
struct SysStats {
  RelaxedCounter mspan, mcache, buck_hash, gc, other;
};

struct PageHeapStats {  // bytes unless named otherwise
  uint64_t in_use = 0, idle = 0, released = 0;
  uint64_t peak_in_use = 0, peak_in_use_ns = 0;
  uint64_t scavenged_total = 0, scavenge_ns_total = 0;
  uint64_t grows = 0, grow_bytes = 0;
  uint64_t soft_limit = 0, soft_limit_hits = 0;
  uint64_t spans_in_use = 0, spans_idle = 0;
  uint64_t arenas = 0;
  uint64_t mspan_inuse = 0;
  uint64_t trigger = 1 << 20;  // in_use at which the observer hears of a new peak
  uint64_t heap_sys() const { return in_use + idle; }
};

// What the page heap keeps in fixed-size allocators, and arenas' tables: records in use.
struct PageHeapMetadata {
  struct Kind {
    uint64_t records = 0, bytes = 0;
  };
  Kind spans, tree_nodes, bitmaps, tiny_words, arena_hints, arenas;
};

class PageHeap {
 public:
  constexpr PageHeap(ArenaMap& map, SysStats& sys)
      : map_(map), sys_(sys), spans_(sys.mspan), nodes_(sys.mspan), bits_{
            FixedAllocBase(16, sys.mspan, false), FixedAllocBase(32, sys.mspan, false),
            FixedAllocBase(64, sys.mspan, false), FixedAllocBase(128, sys.mspan, false),
            FixedAllocBase(256, sys.mspan, false)},
        tiny_words_(kTinyWordsBytes, sys.mspan, true), hints_(sys.other), free_(0x9e3779b9u), scavenged_(0x7f4a7c15u) {}

  // Call once, before the first allocate(). False when the OS refuses.
  [[nodiscard]] bool init(unsigned hint_count = kArenaHintCount, ArenaMap::Entry* arena_table = nullptr);

  // A span in use, its class bytes not yet set. cache_cls with size class 0 = large. `align_pages` a power of two.
  // need_zero says whether the memory may hold old contents. Null when the OS refuses.
  [[nodiscard]] Span* allocate(size_t pages, unsigned cache_cls, size_t align_pages = 1);
  // Caller guarantees that nothing refers to the span's memory any more.
  void free(Span* span);
  // The same for several, linked through next, under one hold of the lock.
  void free_chain(Span* first);
  // Change the length of a large span where it is: give its tail back, or take the free pages behind it. Contents up to the
  // shorter length stay; what is gained holds anything. False when metadata ran out or the neighbours are in use: nothing changed.
  [[nodiscard]] bool try_shrink(Span* span, size_t pages);
  [[nodiscard]] bool try_grow(Span* span, size_t pages);

  // Releases at least `bytes` of idle memory that has been unused since before `older_than_ns`, the largest spans first.
  // Returns how much it released. Gives the lock away while the kernel works.
  size_t scavenge(size_t bytes, uint64_t older_than_ns);
  // Cheap when nothing is due. Call after slow paths, with no lock held. True when an interval had passed.
  bool scavenge_tick(uint64_t now_ns);

  void set_soft_limit(uint64_t bytes);
  // Called with no lock held before the heap would grow; what it frees may make that needless. Set before other threads exist.
  void set_before_growth(void (*hook)(void* context), void* context) {
    before_growth_ = hook;
    before_growth_context_ = context;
  }
  // Freed spans of few pages stay whole for a while, up to so many bytes and as much as was lately in use; 0, the default, joins
  // them with their neighbours at once.
  void keep_recent(size_t bytes);
  // Tells the observer the figures as they are.
  void publish();
  PageHeapStats stats();
  // As of a moment ago.
  uint64_t in_use_estimate() const { return in_use_estimate_.load(std::memory_order_relaxed); }
  PageHeapMetadata metadata();
  // Every span record that exists, with the lock held. The visitor must not call back.
  void for_each_span(void (*visit)(Span* span, void* context), void* context);

  // Waits until no span is on its way to the OS: a child would have it nowhere.
  void lock_for_fork();
  void unlock_after_fork(bool in_child);

  // Ends the process unless every invariant holds.
  void verify();

  ArenaMap& map() { return map_; }

 private:
  static constexpr size_t kTinyWordsBytes = kClasses[size_class_of(kTinyClass)].objects * sizeof(std::atomic<uint32_t>);
  // What is known to be touched soon has its pages at once, by one system call: fresh spans of objects no longer than this, in
  // heaps that use more than that.
  static constexpr uint32_t kPopulatedObjectBytes = 4096;
  static constexpr uint64_t kPopulateFromBytes = uint64_t{2} << 20;

  static constexpr size_t kGrowPages = (size_t{4} << 20) >> kPageShift;
  static constexpr uint64_t kScavengeIntervalNs = 100'000'000;
  static constexpr uint64_t kScavengeAgeNs = 1'000'000'000;

  Span* best_fit_locked(size_t pages);
  bool grow_locked(size_t pages);
  bool grow_for_locked(size_t pages);
  bool join_kinds_locked(size_t pages);
  bool back_and_join_locked(Span* span, size_t pages, bool at_its_end);
  bool add_arenas_locked(uintptr_t base, size_t bytes);
  Span* new_span_locked(uintptr_t base, size_t pages);
  void delete_span_locked(Span* span);
  void free_bits_locked(uint64_t* bits, uint32_t words);
  void free_tiny_words_locked(std::atomic<uint32_t>* words);
  Span* split_locked(Span* span, size_t pages);  // the rest, not in a tree; null when metadata ran out
  void insert_free_locked(Span* span);           // coalesces
  bool carve_locked(Span* span, size_t head, size_t pages, Span** out);
  bool all_spans_add_locked(Span* span);
  bool touch_fresh_locked(const Span* span);
  void count_in_use_locked(size_t bytes);
  void cross_trigger_locked();
  static void set_in_dumps(Span* span, bool wanted);
  void populate(const Span* span) const;
  FreeTree& tree_of(const Span* span) { return span->scavenged ? scavenged_ : free_; }
  FixedAllocBase& bits_of(uint32_t words) { return bits_[words <= 1 ? 0 : log2_floor(words)]; }
  // The largest first; those kept whole for a moment stay unless they are older than `recent_older_than_ns`. `cut`: no more than
  // `bytes`, of the last span a part.
  size_t scavenge_locked(size_t bytes, uint64_t older_than_ns, uint64_t recent_older_than_ns, bool cut);
  Span* cut_for_release_locked(Span* span, size_t pages);
  void back_locked(Span* span);  // released pages come into use
  void earn_locked(uint64_t now_ns);
  void spend_locked(size_t freed);
  void drain_recent_locked(uint64_t older_than_ns);
  // How allocate() goes about it when the trees have no fit: grow, or come back with *wants_growth set.
  Span* allocate_from(size_t pages, unsigned cache_cls, size_t align_pages, bool may_grow, bool* wants_growth);
  Span* find_locked(size_t pages, size_t align_pages, bool may_grow, bool* whole, bool* wants_growth);
  void free_locked(Span* span, uint64_t now);
  void publish_locked();

  ArenaMap& map_;
  SysStats& sys_;
  SpinLock lock_{LockRank::kPageHeap};
  FixedAlloc<Span> spans_;  // constructed when taken
  FixedAlloc<FreeTreeNode> nodes_;
  FixedAllocBase bits_[5];  // 1, 2, 4, 8, 16 words each for alloc and mark bits
  FixedAllocBase tiny_words_;  // of a span of tiny blocks
  ArenaHints hints_;
  LinearAlloc arena_metadata_;
  RecentSpans recent_;
  size_t recent_floor_ = 0;  // bytes it may hold however small the heap; 0: it is not used
  FreeTree free_;
  FreeTree scavenged_;
  uintptr_t current_at_ = 0, current_end_ = 0;  // rest of the reserved range that growth carves from
  Span** all_spans_ = nullptr;
  size_t all_spans_size_ = 0, all_spans_capacity_ = 0;
  PageHeapStats stats_;
  std::atomic<uint64_t> in_use_estimate_{0};  // relaxed: a figure to scale bounds by
  uint64_t published_ = UINT64_MAX;  // what the rarely changing figures added up to when the observer last heard all
  uint64_t recent_peak_ = 0;      // decaying maximum of in_use, what retention is measured against
  uint64_t earned_ = 0, earned_ns_ = 0;  // bytes that frees may return at once (earned_release.cc), as of when
  void (*before_growth_)(void* context) = nullptr;
  void* before_growth_context_ = nullptr;
  std::atomic<uint64_t> last_scavenge_ns_{0};  // written under lock_
  uint32_t on_their_way_ = 0;  // spans that are being returned to the OS while the lock is away
};

}  // namespace liballoc
