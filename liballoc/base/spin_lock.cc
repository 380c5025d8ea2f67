// spin_lock.cc - the waiting half of SpinLock and the debug rank check. Never calls libc.
#include "liballoc/base/spin_lock.h"

#include "liballoc/base/check.h"
#include "liballoc/base/syscall.h"

namespace liballoc {

namespace {
// A lock of ours is held for some ten instructions or for some page faults, and rarely for a reschedule. A sleep costs the
// sleeper a wake by another processor, and the holder the call, more than any of the first two: docs/decisions/locks.md. So a
// waiter spins for about 10 us (less where a pause is short, as on aarch64), then lets others run (the holder may wait for
// this processor), and sleeps at last.
constexpr int kSpins = 500, kYields = 64, kSpinsAfterYield = 50;
// An unlock that missed a sleeper (see there) is made up for after that.
constexpr int64_t kLongestSleepNs = 1'000'000;

inline void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("yield");
#endif
}
}  // namespace

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t), "the kernel waits on the word itself");

bool SpinLock::spin(int times) {
  // Acquire as in lock(); a failed look orders nothing.
  for (int i = 0; i < times; i++) {
    cpu_relax();
    uint32_t expected = kFree;
    if (state_.load(std::memory_order_relaxed) == kFree &&
        state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void SpinLock::lock_slow() {
  if (spin(kSpins)) return;
  for (int i = 0; i < kYields; i++) {
    sys::yield();
    if (spin(kSpinsAfterYield)) return;
  }
  sleepers_.fetch_add(1, std::memory_order_relaxed);
  while (!spin(1)) sys::futex_wait(reinterpret_cast<uint32_t*>(&state_), kHeld, kLongestSleepNs);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void SpinLock::wake() { sys::futex_wake(reinterpret_cast<uint32_t*>(&state_), 1); }

#if LIBALLOC_DEBUG
namespace {
// Held locks per rank of this thread.
constinit thread_local uint16_t t_held[static_cast<size_t>(LockRank::kCount)] LIBALLOC_TLS_MODEL = {};
}  // namespace

void SpinLock::note_acquire() {
  for (size_t r = static_cast<size_t>(rank_); r < static_cast<size_t>(LockRank::kCount); r++) {
    if (t_held[r] == 0) continue;
    const bool one_of_many =
        rank_ == LockRank::kTransfer || rank_ == LockRank::kCentral || rank_ == LockRank::kSamplingLane;
    const bool fork_takes_all =
        one_of_many && r == static_cast<size_t>(rank_) && t_held[static_cast<size_t>(LockRank::kFork)] != 0;
    if (fork_takes_all) continue;
    LineBuffer message;
    message.text("liballoc: lock rank ").dec(static_cast<uint64_t>(rank_)).text(" taken while holding rank ").dec(r);
    fatal(message);
  }
  t_held[static_cast<size_t>(rank_)]++;
}

void SpinLock::note_release() {
  LIBALLOC_CHECK(t_held[static_cast<size_t>(rank_)] > 0);
  t_held[static_cast<size_t>(rank_)]--;
}

void reset_lock_ranks_after_fork() {
  for (uint16_t& held : t_held) held = 0;
}
#else
void reset_lock_ranks_after_fork() {}
#endif

}  // namespace liballoc
