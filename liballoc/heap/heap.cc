// heap.cc - see heap.h.
#include "liballoc/heap/heap.h"

namespace liballoc {

void Heap::make_ready(unsigned cache_cls) {
  LockHolder hold(classes_lock_);
  if (ready(cache_cls)) return;
  central_[cache_cls].init(cache_cls, &pages_, central_);
  transfer_[cache_cls].init(cache_cls, &map_, &central_[cache_cls], &pages_, &sys_.mcache, &transfer_bytes_);
  ready_[cache_cls].store(true, std::memory_order_release);  // pairs with ready()
}

void Heap::lock_for_fork() {
  classes_lock_.lock();
  for (unsigned c = 0; c < kCacheClasses; c++)
    if (ready(c)) transfer_[c].lock_for_fork();
  for (unsigned c = 0; c < kCacheClasses; c++)
    if (ready(c)) central_[c].lock_for_fork();
  pages_.lock_for_fork();
}

void Heap::unlock_after_fork(bool in_child) {
  pages_.unlock_after_fork(in_child);
  for (unsigned c = 0; c < kCacheClasses; c++)
    if (ready(c)) central_[c].unlock_after_fork(in_child);
  for (unsigned c = 0; c < kCacheClasses; c++)
    if (ready(c)) transfer_[c].unlock_after_fork(in_child);
  if (in_child) classes_lock_.reset_after_fork();
  else classes_lock_.unlock();
}

void Heap::verify() {
  for (unsigned c = 0; c < kCacheClasses; c++)
    if (ready(c)) central_[c].verify();
  pages_.verify();
}

void Heap::drain_transfers(bool all) {
  if (transfer_bytes() == 0) return;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    if (!ready(c)) continue;
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    if (all) transfer_[c].drain_all(&bad, &culprit);
    else transfer_[c].drain_untouched(&bad, &culprit);
    if (bad != BadFree::kNone) {
      if (bad_free_ != nullptr) bad_free_(bad, culprit);
      LIBALLOC_CHECK(bad == BadFree::kNone);
    }
  }
}

void Heap::tick(uint64_t now_ns) {
  if (!pages_.scavenge_tick(now_ns)) return;
  if (ticks_.fetch_add(1, std::memory_order_relaxed) % kTicksPerDrain == 0) drain_transfers(false);
}

}  // namespace liballoc
