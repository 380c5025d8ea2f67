// earned_release.cc - returning memory at the moment it is freed, for programs that then go idle and never call again. Part of
// PageHeap. What is returned may be wanted back, and the kernel then clears every page anew; so a program earns what it may return,
// by holding memory for some time, and short programs never pay.
#include "liballoc/heap/page_heap.h"

namespace liballoc {

namespace {

// Whoever held his memory for so long has earned returning all of it.
constexpr uint64_t kEarnAllUs = 30'000'000;
// And no heap earns more than so many bytes a second: returning costs 0.2 s a GiB and wanting it back 0.43 s, so 64 MiB/s are 4 %
// of one processor.
constexpr uint64_t kMostPerSecond = uint64_t{64} << 20;
constexpr uint64_t kMostEarning = kMostPerSecond * (kEarnAllUs / 1'000'000);  // bytes held that earn at that rate
constexpr uint64_t kLongestUs = 4'000'000'000;                                // booked at once; bounds a product below
static_assert(kLongestUs < UINT64_MAX / kMostEarning);
// Idle bytes to keep for the next request: these and a tenth of what is in use.
constexpr uint64_t kKeep = uint64_t{16} << 20;
// Less is not worth a system call now.
constexpr uint64_t kWorthIt = uint64_t{16} << 20;
// What one free returns at most, unless it freed more than that itself: 5 to 8 ms.
constexpr uint64_t kMostPerFree = uint64_t{32} << 20;

}  // namespace

// Books the time since the last call, during which as much was backed as now: called before that changes.
void PageHeap::earn_locked(uint64_t now_ns) {
  if (earned_ns_ == 0) earned_ns_ = now_ns;  // the first call: nothing was held yet
  if (now_ns <= earned_ns_) return;
  uint64_t held_us = (now_ns - earned_ns_) / 1000;
  if (held_us == 0) return;
  earned_ns_ += held_us * 1000;
  if (held_us > kLongestUs) held_us = kLongestUs;
  const uint64_t backed = stats_.heap_sys() - stats_.released;
  earned_ += held_us * (backed < kMostEarning ? backed : kMostEarning) / kEarnAllUs;
  if (earned_ > backed) earned_ = backed;
}

void PageHeap::spend_locked(size_t freed) {
  // Of the spans kept whole, those beyond a quarter of what is in use count as idle: a heap that shrinks lets go of them.
  const uint64_t whole = recent_floor_ + stats_.in_use / 4;
  const bool too_many = recent_.bytes() > whole;
  const uint64_t idle = stats_.idle - stats_.released - (too_many ? whole : recent_.bytes());
  const uint64_t keep = kKeep + stats_.in_use / 10;
  if (LIBALLOC_LIKELY(idle < keep + kWorthIt || earned_ < kWorthIt)) return;
  uint64_t bytes = idle - keep;
  const uint64_t most = freed > kMostPerFree ? freed : kMostPerFree;
  if (bytes > most) bytes = most;
  if (bytes > earned_) bytes = earned_;
  earned_ -= bytes;  // before the lock is away: others spend theirs meanwhile
  const size_t released = scavenge_locked(bytes, UINT64_MAX, too_many ? UINT64_MAX : 0, true);
  if (released < bytes) earned_ += bytes - released;
}

}  // namespace liballoc
