// specials.cc - see specials.h.
#include "liballoc/heap/specials.h"

#include "liballoc/heap/tiny_block.h"
#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {

namespace {
constinit RelaxedCounter g_special_bytes;
// Guards g_storage and the lists of all spans. One lock, not one per span: fork must be able to take it, and samples are rare.
constinit SpinLock g_lock{LockRank::kSpecials};
constinit FixedAlloc<Special> g_storage{g_special_bytes};

void set_filter_locked(Span* span) {
  uint64_t filter = 0;
  for (const Special* s = span->specials; s != nullptr; s = s->next) filter |= special_filter_bit(s->slot);
  span->special_filter.store(filter, std::memory_order_relaxed);
  const uint8_t cls = filter != 0 && span->size_class != 0 ? page_class_of(span->cache_class) : uint8_t{0};
  span->special_class.store(cls, std::memory_order_relaxed);
}

uintptr_t page_of_slot(const Span* span, uint32_t slot) { return span->slot_address(slot) & ~(kPageBytes - 1); }

bool any_starts_on_page_locked(const Span* span, uintptr_t page) {
  for (const Special* s = span->specials; s != nullptr; s = s->next) {
    if (page_of_slot(span, s->slot) == page) return true;
  }
  return false;
}

}  // namespace

Special* add_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t sample_record) {
  LockHolder hold(g_lock);
  Special* special = g_storage.allocate();
  if (special == nullptr) return nullptr;
  special->slot = slot;
  special->sample_record = sample_record;
  Special** at = &span->specials;
  while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
  LIBALLOC_DCHECK(*at == nullptr || (*at)->slot != slot);
  special->next = *at;
  store_relaxed(at, special);  // has_specials() looks without the lock
  set_filter_locked(span);
  if (span->size_class != 0) map.set_class_at(span->slot_address(slot), 0);  // pages of large objects have none
  return special;
}

uint32_t remove_special(ArenaMap& map, Span* span, uint32_t slot) {
  LockHolder hold(g_lock);
  Special** at = &span->specials;
  while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
  if (*at == nullptr || (*at)->slot != slot) return 0;
  Special* found = *at;
  store_relaxed(at, found->next);
  set_filter_locked(span);
  if (span->size_class != 0 && !any_starts_on_page_locked(span, page_of_slot(span, slot))) {
    map.set_class_at(page_of_slot(span, slot), page_class_of(span->cache_class));
  }
  const uint32_t record = found->sample_record;
  g_storage.free(found);
  return record;
}

uint32_t find_special(const Span* span, uint32_t slot) {
  LockHolder hold(g_lock);
  const Special* at = span->specials;
  while (at != nullptr && at->slot < slot) at = at->next;
  return at != nullptr && at->slot == slot ? at->sample_record : 0;
}

void clear_specials(ArenaMap& map, Span* span) {
  while (span->specials != nullptr) remove_special(map, span, span->specials->slot);
}

uint64_t specials_inuse_bytes() { return g_storage.inuse_bytes(); }
uint64_t specials_inuse_count() { return g_storage.inuse_objects(); }
uint64_t specials_sys_bytes() { return g_special_bytes.load(); }
void specials_lock_for_fork() { g_lock.lock(); }
void specials_unlock_after_fork(bool in_child) {
  if (in_child) g_lock.reset_after_fork();
  else g_lock.unlock();
}

}  // namespace liballoc
