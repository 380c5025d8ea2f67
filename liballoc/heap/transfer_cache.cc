// transfer_cache.cc - see transfer_cache.h.
#include "liballoc/heap/transfer_cache.h"

#include <cstring>

#include "liballoc/base/bits.h"
#include "liballoc/heap/repeated_slot.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

void TransferCache::set_count_locked(uint32_t n) {
  store_relaxed(&count_, n);
  bytes_->set(cache_class_, uint64_t{n} * kClasses[size_class_of(cache_class_)].bytes);
}

bool TransferCache::make_storage_locked() {
  if (no_storage_) return false;
  const size_t bytes = align_up(capacity_of(size_class_of(cache_class_)) * sizeof(void*), system_page_bytes());
  slots_ = static_cast<void**>(sys_alloc(bytes));
  no_storage_ = slots_ == nullptr;
  if (!no_storage_) storage_->add(bytes);
  return !no_storage_;
}

// How many leading slots are starts of objects of this class, each only once; *bad says what is wrong with the next, unless
// it is none of the class, which is for the central list to judge. That they are in use is seen when they reach
// their span.
uint32_t TransferCache::checked(void* const* slots, uint32_t n, BadFree* bad) const {
  const SizeClass c = kClasses[size_class_of(cache_class_)];
  uint32_t wrong = c.pages != 1;
  if (c.pages == 1) {  // offsets within the span are offsets within the page
    const uint32_t end = c.objects * c.bytes;
    for (uint32_t i = 0; i < n; i++) {
      const uint32_t offset = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(slots[i]) & (kPageBytes - 1));
      wrong |= (slot_index(offset, c.magic) * c.bytes ^ offset) | static_cast<uint32_t>(offset >= end);
    }
  }
  for (uint32_t i = 0; LIBALLOC_UNLIKELY(wrong != 0) && i < n; i++) {
    const uintptr_t p = reinterpret_cast<uintptr_t>(slots[i]);
    const Span* span = map_->find_in_use(p);
    const bool of_class = span != nullptr && span->cache_class == cache_class_;
    if (LIBALLOC_LIKELY(of_class) && LIBALLOC_LIKELY(span->is_slot_start(p))) continue;
    if (of_class) *bad = BadFree::kInterior;
    n = i;
  }
  const uint32_t repeated = first_repeated(slots, n);
  if (LIBALLOC_UNLIKELY(repeated != n)) *bad = BadFree::kDoubleFree;
  return repeated;
}

uint32_t TransferCache::take(void** end, uint32_t n) {
  if (load_relaxed(&count_) == 0) return 0;
  LockHolder hold(lock_);
  if (n > count_) n = count_;
  memcpy(end - n, slots_ + bottom_ + count_ - n, n * sizeof(void*));
  set_count_locked(count_ - n);
  if (count_ < low_) low_ = count_;
  return n;
}

uint32_t TransferCache::give(void* const* slots, uint32_t n, BadFree* bad) {
  *bad = BadFree::kNone;
  const uint32_t capacity = capacity_of(size_class_of(cache_class_));
  const uint64_t budget = kBudget + pages_->in_use_estimate() / 4;
  bool over = bytes_->estimate() >= budget;
  if (over || load_relaxed(&gives_) % kGivesPerSum == 0) over = bytes_->refresh() >= budget;
  uint32_t kept = over ? 0 : capacity - load_relaxed(&count_);
  if (kept > n) kept = n;
  if (kept != 0) {
    kept = checked(slots, kept, bad);
    LockHolder hold(lock_);
    store_relaxed(&gives_, gives_ + 1);
    const uint32_t room = slots_ != nullptr || make_storage_locked() ? capacity - count_ : 0;
    if (kept > room) {
      kept = room;
      *bad = BadFree::kNone;
    }
    if (bottom_ + count_ + kept > capacity) {
      memmove(slots_, slots_ + bottom_, count_ * sizeof(void*));
      bottom_ = 0;
    }
    if (kept != 0) memcpy(slots_ + bottom_ + count_, slots, kept * sizeof(void*));
    set_count_locked(count_ + kept);
  }
  if (kept == n || *bad != BadFree::kNone) return kept;
  kept += central_->free_slots(slots + kept, n - kept, bad);
  // Where a heap has shrunk, what is here is too much as well.
  if (over && *bad == BadFree::kNone) shrink(n);
  return kept;
}

// Gives the oldest slots on. Those that cannot be freed stay, for a drain to report.
void TransferCache::shrink(uint32_t slots) {
  if (load_relaxed(&count_) == 0) return;
  LockHolder hold(lock_);
  BadFree bad = BadFree::kNone;
  drop_locked(slots < count_ ? slots : count_, &bad);
}

// The n oldest, at the bottom, to the central list. Returns how many it took; what it refuses stays here, first.
uint32_t TransferCache::drop_locked(uint32_t n, BadFree* bad) {
  const uint32_t given = n == 0 ? 0 : central_->free_slots(slots_ + bottom_, n, bad);
  set_count_locked(count_ - given);
  bottom_ = count_ == 0 ? 0 : bottom_ + given;
  if (low_ > count_) low_ = count_;
  return given;
}

void TransferCache::drain(bool all, BadFree* bad, void** culprit) {
  *bad = BadFree::kNone;
  uint32_t left = UINT32_MAX;
  while (left != 0) {
    if (load_relaxed(&count_) == 0) return;
    LockHolder hold(lock_);
    if (all) left = count_;
    else if (left > low_) left = low_;
    const uint32_t n = left < kDrainStep ? left : kDrainStep;
    const uint32_t untouched = low_;
    const uint32_t given = drop_locked(n, bad);
    if (*bad != BadFree::kNone) *culprit = slots_[bottom_];
    left -= n;
    low_ = left == 0 || given > untouched ? count_ : untouched - given;
    if (*bad != BadFree::kNone) return;
  }
}

}  // namespace liballoc
