// transfer_cache.cc - see transfer_cache.h.
#include "liballoc/heap/transfer_cache.h"

#include <cstring>

#include "liballoc/base/bits.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

void TransferCache::set_count_locked(uint32_t n) {
  const uint64_t each = kClasses[size_class_of(cache_class_)].bytes;
  total_->fetch_add((uint64_t{n} - count_) * each, std::memory_order_relaxed);
  store_relaxed(&count_, n);
}

bool TransferCache::make_storage_locked() {
  if (no_storage_) return false;
  const size_t bytes = align_up(capacity_of(size_class_of(cache_class_)) * sizeof(void*), system_page_bytes());
  slots_ = static_cast<void**>(sys_alloc(bytes));
  no_storage_ = slots_ == nullptr;
  if (!no_storage_) storage_->add(bytes);
  return !no_storage_;
}

// How many leading slots are starts of objects of this class. That they are in use is seen when they reach their span.
uint32_t TransferCache::checked(void* const* slots, uint32_t n, BadFree* bad) const {
  const SizeClass& c = kClasses[size_class_of(cache_class_)];
  for (uint32_t i = 0; i < n; i++) {
    const uintptr_t p = reinterpret_cast<uintptr_t>(slots[i]);
    uint32_t offset = static_cast<uint32_t>(p & (kPageBytes - 1));
    if (c.pages != 1) {
      const Span* span = map_->find_in_use(p);
      if (LIBALLOC_UNLIKELY(span == nullptr || span->cache_class != cache_class_)) {
        *bad = BadFree::kNotAllocated;
        return i;
      }
      offset = static_cast<uint32_t>(p - span->base);
    }
    const uint32_t slot = slot_index(offset, c.magic);
    if (LIBALLOC_UNLIKELY(slot * c.bytes != offset || slot >= c.objects)) {
      *bad = BadFree::kInterior;
      return i;
    }
  }
  return n;
}

uint32_t TransferCache::take(void** end, uint32_t n) {
  if (load_relaxed(&count_) == 0) return 0;
  LockHolder hold(lock_);
  if (n > count_) n = count_;
  memcpy(end - n, slots_ + count_ - n, n * sizeof(void*));
  set_count_locked(count_ - n);
  if (count_ < low_) low_ = count_;
  return n;
}

uint32_t TransferCache::give(void* const* slots, uint32_t n, BadFree* bad) {
  *bad = BadFree::kNone;
  const uint32_t sound = checked(slots, n, bad);
  uint32_t kept = 0;
  if (total_->load(std::memory_order_relaxed) < budget_) {
    LockHolder hold(lock_);
    store_relaxed(&gives_, gives_ + 1);
    if (slots_ != nullptr || make_storage_locked()) {
      const uint32_t room = capacity_of(size_class_of(cache_class_)) - count_;
      kept = sound < room ? sound : room;
      memcpy(slots_ + count_, slots, kept * sizeof(void*));
      set_count_locked(count_ + kept);
    }
  }
  if (kept == sound) return sound;
  BadFree refused = BadFree::kNone;
  kept += central_->free_slots(slots + kept, sound - kept, &refused);
  if (refused != BadFree::kNone) *bad = refused;
  return kept;
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
    // The oldest lie at the bottom. The list changes nothing of ours; what it refuses stays here, first.
    const uint32_t given = n == 0 ? 0 : central_->free_slots(slots_, n, bad);
    if (*bad != BadFree::kNone) *culprit = slots_[given];
    memmove(slots_, slots_ + given, (count_ - given) * sizeof(void*));
    set_count_locked(count_ - given);
    left -= n;
    low_ = left == 0 ? count_ : low_ - given;
    if (*bad != BadFree::kNone) return;
  }
}

}  // namespace liballoc
