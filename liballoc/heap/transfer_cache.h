// transfer_cache.h - free slots of one cache class that move between threads in batches, in front of the class's central list:
// what one thread gives back another takes again without either touching a span. A stack, so that warm slots go out first.
//
// A slot in here counts as taken in its span's bitmap. Slots that nobody touched for a while, or between two growths of the
// heap, go on to the central list, so that the cache never makes the heap grow for long.
// Locks: lock_ (rank kTransfer) guards everything; the central list is called with it held.
// Given slots must be of this class; that each starts an object, and is there once, give() looks itself.
#pragma once

#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/heap/central_list.h"
#include "liballoc/heap/transfer_bytes.h"

namespace liballoc {

class alignas(kCacheLineBytes) TransferCache {
 public:
  // Slots a class may have here: 32 MiB worth, at most 8192.
  static constexpr uint32_t capacity_of(unsigned size_class) {
    if (size_class == 0) return 0;
    const uint32_t n = (uint32_t{32} << 20) / kClasses[size_class].bytes;
    return n > 8192 ? 8192 : n;
  }

  constexpr TransferCache() = default;
  // Bytes in the caches of all classes beyond which none takes more, and gives on what it has: these and a quarter of what is
  // in use. What is here can serve no other class. The sum is one of at most kGivesPerSum gives of the class ago.
  static constexpr uint64_t kBudget = uint64_t{16} << 20;

  void init(unsigned cache_cls, ArenaMap* map, CentralList* central, const PageHeap* pages, RelaxedCounter* storage,
            TransferBytes* bytes) {
    cache_class_ = static_cast<uint8_t>(cache_cls);
    map_ = map;
    central_ = central;
    storage_ = storage;
    bytes_ = bytes;
    pages_ = pages;
  }

  // Up to n slots, the one given last into end[-1] and so on down. Returns how many.
  [[nodiscard]] uint32_t take(void** end, uint32_t n);
  // Takes all n slots, here or, what finds no room, in the central list. Stops at the first that cannot be freed: *bad says
  // why. Returns how many were taken.
  uint32_t give(void* const* slots, uint32_t n, BadFree* bad);
  // Gives on to the central list what was here all the time since the last call. *bad and *culprit as above.
  void drain_untouched(BadFree* bad, void** culprit) { drain(false, bad, culprit); }
  void drain_all(BadFree* bad, void** culprit) { drain(true, bad, culprit); }

  // Slots here now; exact when no other thread is at work.
  uint32_t size() const { return load_relaxed(&count_); }
  // Gives that passed since the process started, for pacing; racy.
  uint32_t gives() const { return load_relaxed(&gives_); }

  void lock_for_fork() { lock_.lock(); }
  void unlock_after_fork(bool in_child) { in_child ? lock_.reset_after_fork() : lock_.unlock(); }

 private:
  static constexpr uint32_t kDrainStep = 1024;  // slots per hold of the lock
  static constexpr uint32_t kGivesPerSum = 8;

  bool make_storage_locked();
  uint32_t checked(void* const* slots, uint32_t n, BadFree* bad) const;
  void drain(bool all, BadFree* bad, void** culprit);
  void shrink(uint32_t slots);
  uint32_t drop_locked(uint32_t n, BadFree* bad);
  void set_count_locked(uint32_t n);

  SpinLock lock_{LockRank::kTransfer};
  uint8_t cache_class_ = 0;
  bool no_storage_ = false;  // the OS refused; not asked again
  uint32_t count_ = 0;
  uint32_t bottom_ = 0;  // slots_[bottom_] is the oldest; what lay before it was drained
  uint32_t low_ = 0;     // the least count since the last drain_untouched()
  uint32_t gives_ = 0;
  void** slots_ = nullptr;
  ArenaMap* map_ = nullptr;
  CentralList* central_ = nullptr;
  RelaxedCounter* storage_ = nullptr;
  TransferBytes* bytes_ = nullptr;
  const PageHeap* pages_ = nullptr;
};

}  // namespace liballoc
