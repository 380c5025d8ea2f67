// specials.cc - see specials.h.
#include "liballoc/heap/specials.h"

#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {

namespace {
constinit RelaxedCounter g_special_bytes;
constinit SpinLock g_storage_lock{LockRank::kSpecials};  // guards g_storage
constinit FixedAlloc<Special> g_storage{g_special_bytes};

void free_record(Special* s) {
  LockHolder hold(g_storage_lock);
  g_storage.free(s);
}
}  // namespace

bool add_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t sample_record) {
  Special* special = nullptr;
  {
    LockHolder hold(g_storage_lock);
    special = g_storage.allocate();
  }
  if (special == nullptr) return false;
  special->slot = slot;
  special->sample_record = sample_record;
  LockHolder hold(span->special_lock);
  if (span->specials == nullptr) map.set_class(span, 0);
  Special** at = &span->specials;
  while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
  LIBALLOC_DCHECK(*at == nullptr || (*at)->slot != slot);
  special->next = *at;
  store_relaxed(at, special);  // has_specials() looks without the lock
  return true;
}

uint32_t remove_special(ArenaMap& map, Span* span, uint32_t slot) {
  Special* found = nullptr;
  {
    LockHolder hold(span->special_lock);
    Special** at = &span->specials;
    while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
    if (*at == nullptr || (*at)->slot != slot) return 0;
    found = *at;
    store_relaxed(at, found->next);
    if (span->specials == nullptr && span->size_class != 0) map.set_class(span, span->cache_class);
  }
  const uint32_t record = found->sample_record;
  free_record(found);
  return record;
}

void clear_specials(ArenaMap& map, Span* span) {
  while (span->specials != nullptr) remove_special(map, span, span->specials->slot);
}

uint64_t specials_inuse_bytes() { return g_storage.inuse_bytes(); }
uint64_t specials_sys_bytes() { return g_special_bytes.load(); }
void specials_lock_for_fork() { g_storage_lock.lock(); }
void specials_unlock_after_fork(bool in_child) {
  if (in_child) g_storage_lock.reset_after_fork();
  else g_storage_lock.unlock();
}

}  // namespace liballoc
