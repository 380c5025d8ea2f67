// heap.h - the shared half of the allocator: arena map, page heap, and per cache class a central list with a transfer cache in
// front, made ready when the class is first asked for: a process start touches no page for those it does not use. One constinit
// instance serves the process; tests make their own. Nothing here knows threads' caches, sampling or telemetry.
// Locks: classes_lock_ (rank kClassLists) guards making a class ready, and keeps fork's set of locks as it is meanwhile.
#pragma once

#include <atomic>
#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/central_list.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/heap/transfer_cache.h"

namespace liballoc {

class Heap {
 public:
  constexpr Heap() : pages_(map_, sys_) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // `arena_table`: see ArenaMap::init().
  [[nodiscard]] bool init(unsigned hint_count = kArenaHintCount, ArenaMap::Entry* arena_table = nullptr) {
    if (!pages_.init(hint_count, arena_table)) return false;
    pages_.set_before_growth([](void* heap) { static_cast<Heap*>(heap)->drain_transfers(false); }, this);
    return true;
  }

  ArenaMap& map() { return map_; }
  PageHeap& pages() { return pages_; }
  CentralList& central(unsigned cache_cls) {
    if (LIBALLOC_UNLIKELY(!ready(cache_cls))) make_ready(cache_cls);
    return central_[cache_cls];
  }
  TransferCache& transfer(unsigned cache_cls) {
    if (LIBALLOC_UNLIKELY(!ready(cache_cls))) make_ready(cache_cls);
    return transfer_[cache_cls];
  }
  uint64_t transfer_bytes() const { return transfer_bytes_.sum(); }
  // Gives the slots in all transfer caches back to their spans: those that were not touched since the last call, or all.
  // Ends the process through the handler when one of them cannot be freed.
  void drain_transfers(bool all);
  // Time for the background work that slow paths do: returning idle pages, and slots that no thread takes.
  void tick(uint64_t now_ns);
  // What to call for a slot that cannot be freed and is found when no caller of free() is there to hear of it.
  void set_bad_free_handler(void (*handler)(BadFree bad, void* culprit)) { bad_free_ = handler; }
  constexpr SysStats& sys() { return sys_; }

  void lock_for_fork();
  void unlock_after_fork(bool in_child);
  void verify();

 private:
  static constexpr uint32_t kTicksPerDrain = 3;  // intervals of the scavenger: 0.3 s

  // Acquire: pairs with the release in make_ready(), the class's lists are set up.
  bool ready(unsigned cache_cls) const { return ready_[cache_cls].load(std::memory_order_acquire); }
  LIBALLOC_COLD void make_ready(unsigned cache_cls);

  SysStats sys_;
  ArenaMap map_;
  PageHeap pages_;
  CentralList central_[kCacheClasses];
  TransferBytes transfer_bytes_;
  TransferCache transfer_[kCacheClasses];
  SpinLock classes_lock_{LockRank::kClassLists};
  std::atomic<bool> ready_[kCacheClasses] = {};
  std::atomic<uint32_t> ticks_{0};  // relaxed: paces tick()
  void (*bad_free_)(BadFree bad, void* culprit) = nullptr;
};

}  // namespace liballoc
