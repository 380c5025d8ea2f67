// spin_lock.h - the one lock of the library: spins, yields, then sleeps in the kernel. Has a rank; a debug build ends the
// process when ranks are taken out of order. Must never be held while user code, the unwinder or the loader runs.
#pragma once

#include <atomic>
#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc {

// Taken in ascending order. The list in docs/architecture.md is this one.
enum class LockRank : uint8_t {
  kFork = 0,
  kThreadRegistry,
  kClassLists,  // the heap's, while a class is made ready
  kTransfer,  // one per cache class; only fork holds several, in class order
  kCentral,   // the same
  kPageHeap,
  kSamplingLane,  // one per lane; only fork holds several, in order
  kSpanSpecials,  // one per span
  kSpecialStorage,
  kMeta,
  kTelemetry,
  kTelemetryRing,
  kRegionMap,  // debug builds: under every lock that changes memory states
  kCount
};

class SpinLock {
 public:
  constexpr explicit SpinLock(LockRank rank) : rank_(rank) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  LIBALLOC_INLINE void lock() {
    note_acquire();
    uint32_t expected = kFree;
    // Acquire: pairs with the release in unlock(); what the last holder wrote is visible.
    if (LIBALLOC_UNLIKELY(!state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire,
                                                          std::memory_order_relaxed))) {
      lock_slow();
    }
  }

  // False when someone holds it.
  LIBALLOC_INLINE bool try_lock() {
    uint32_t expected = kFree;
    const bool got = state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed);
    if (LIBALLOC_LIKELY(got)) note_acquire();
    return got;
  }

  // A store and a look, where an exchange would cost as much as lock(). The look may come before the store is visible, and so
  // miss a sleeper that saw the lock held: sleeps are bounded for that reason.
  LIBALLOC_INLINE void unlock() {
    note_release();
    state_.store(kFree, std::memory_order_release);
    if (LIBALLOC_UNLIKELY(sleepers_.load(std::memory_order_relaxed) != 0)) wake();
  }

  // In the child of a fork, where the holder may not exist. Only while no other thread can.
  void reset_after_fork() {
    state_.store(kFree, std::memory_order_relaxed);
    sleepers_.store(0, std::memory_order_relaxed);
  }

  bool held_by_someone() const { return state_.load(std::memory_order_relaxed) != kFree; }

 private:
  static constexpr uint32_t kFree = 0, kHeld = 1;

  bool spin(int times);
  LIBALLOC_COLD void lock_slow();
  LIBALLOC_COLD void wake();
#if LIBALLOC_DEBUG
  void note_acquire();
  void note_release();
#else
  LIBALLOC_INLINE void note_acquire() {}
  LIBALLOC_INLINE void note_release() {}
#endif

  std::atomic<uint32_t> state_{kFree};
  std::atomic<uint32_t> sleepers_{0};  // who has gone to sleep or is about to; orders nothing
  [[maybe_unused]] LockRank rank_;
};

// Forget which ranks the calling thread holds (debug builds): for the child of a fork.
void reset_lock_ranks_after_fork();

class LockHolder {
 public:
  explicit LockHolder(SpinLock& lock) : lock_(lock) { lock_.lock(); }
  ~LockHolder() { lock_.unlock(); }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace liballoc
