// scavenger.cc - returning idle pages to the OS: the largest spans first, when they have been idle for a while, and never on
// the path of a free; and when a free has earned it, at once (earned_release.cc). Part of PageHeap; slow paths give it its time,
// or a thread does (core/scavenge_thread).
#include "liballoc/base/bits.h"
#include "liballoc/base/syscall.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

void PageHeap::back_locked(Span* span) {
  sys_used(reinterpret_cast<void*>(span->base), span->bytes());
  stats_.released -= span->bytes();
  span->scavenged = false;
  observe_span(span, SpanEvent::kReuse, span->bytes());
}

// The last `pages` pages of a span that was just taken from its tree; the front goes back. The whole span without metadata for two.
Span* PageHeap::cut_for_release_locked(Span* span, size_t pages) {
  Span* tail = split_locked(span, span->pages - pages);
  if (tail == nullptr) return span;
  map_.set_boundary(tail);  // before the front looks at its neighbour
  insert_free_locked(span);
  return tail;
}

size_t PageHeap::scavenge_locked(size_t bytes, uint64_t older_than_ns, uint64_t recent_older_than_ns, bool cut) {
  size_t released = 0;
  drain_recent_locked(recent_older_than_ns);
  Span* s = free_.largest();
  while (s != nullptr && released < bytes) {
    Span* smaller = free_.predecessor(s);
    // Pages of the heap may be smaller than the system's: then only whole system pages could go, and none is cut here.
    if (s->unused_since <= older_than_ns && s->base % system_page_bytes() == 0 &&
        s->bytes() % system_page_bytes() == 0) {
      free_.remove(s);
      stats_.spans_idle--;
      // Not free, not in use: neighbours leave it alone while the lock is away.
      s->state.store(SpanState::kManual, std::memory_order_relaxed);
      if (cut && s->bytes() > bytes - released) {
        const size_t rest = align_up(bytes - released, system_page_bytes() > kPageBytes ? system_page_bytes() : kPageBytes);
        if (rest < s->bytes()) s = cut_for_release_locked(s, rest >> kPageShift);
      }
      const uint64_t began = monotonic_ns();
      on_their_way_++;
      lock_.unlock();
      const bool gone = sys_unused(reinterpret_cast<void*>(s->base), s->bytes());
      lock_.lock();
      on_their_way_--;
      stats_.scavenge_ns_total += monotonic_ns() - began;
      if (gone) {
        s->scavenged = true;
        s->need_zero = false;
        stats_.released += s->bytes();
        stats_.scavenged_total += s->bytes();
        released += s->bytes();
        observe_span(s, SpanEvent::kScavenge, s->bytes());
      }
      insert_free_locked(s);
      if (!gone) break;  // the OS refuses; it would refuse the next one too
      smaller = free_.largest();  // the tree may have changed meanwhile
      if (smaller != nullptr && smaller->unused_since > older_than_ns) smaller = free_.predecessor(smaller);
    }
    s = smaller;
  }
  publish_locked();
  return released;
}

void PageHeap::lock_for_fork() {
  lock_.lock();
  while (on_their_way_ != 0) {
    lock_.unlock();
    sys::yield();
    lock_.lock();
  }
}

void PageHeap::unlock_after_fork(bool in_child) {
  if (!in_child) return lock_.unlock();
  on_their_way_ = 0;  // where a handler forked in the middle of a return, its span is lost
  lock_.reset_after_fork();
}

size_t PageHeap::scavenge(size_t bytes, uint64_t older_than_ns) {
  LockHolder hold(lock_);
  return scavenge_locked(bytes, older_than_ns, older_than_ns, false);
}

bool PageHeap::scavenge_tick(uint64_t now_ns) {
  // Relaxed: who reads an older time than is there takes the lock and looks again.
  if (now_ns < last_scavenge_ns_.load(std::memory_order_relaxed) + kScavengeIntervalNs) return false;
  LockHolder hold(lock_);
  if (now_ns < last_scavenge_ns_.load(std::memory_order_relaxed) + kScavengeIntervalNs) return false;
  last_scavenge_ns_.store(now_ns, std::memory_order_relaxed);
  earn_locked(now_ns);
  // Keep a sixteenth over the recent peak; the peak forgets a 16th of its distance per interval: half of it in 1.1 s.
  if (recent_peak_ > stats_.in_use) recent_peak_ -= (recent_peak_ - stats_.in_use) / 16;
  const uint64_t backed = stats_.heap_sys() - stats_.released;
  const uint64_t goal = recent_peak_ + recent_peak_ / 16;
  if (backed <= goal || now_ns < kScavengeAgeNs) return true;
  // A part of the excess each time, at least one growth step, so that a slow path never pays for all of it.
  size_t step = (backed - goal) / 8;
  constexpr size_t kLeast = kGrowPages << kPageShift;
  if (step < kLeast) step = kLeast;
  scavenge_locked(step, now_ns - kScavengeAgeNs, now_ns - kScavengeAgeNs, false);
  return true;
}

}  // namespace liballoc
