// specials.cc - see specials.h.
#include "liballoc/heap/specials.h"

#include "liballoc/base/lanes.h"
#include "liballoc/heap/size_trust.h"
#include "liballoc/heap/tiny_block.h"
#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {

namespace {

// What one lane keeps of records without a span, so that marking an object takes no line that other lanes write.
struct alignas(kCacheLineBytes) Lane {
  Special* first_spare = nullptr;
  uint32_t spare = 0;
  uint64_t in_use = 0;  // marks set less marks removed by way of this lane, so below 0 at times; their sum over all lanes never is
};
constexpr uint32_t kBatch = 8;  // records that pass between a lane and the storage at a time

constinit Lane g_lanes[kLanes] = {};
constinit RelaxedCounter g_special_bytes;
constinit SpinLock g_storage_lock{LockRank::kSpecialStorage};  // guards g_storage
constinit FixedAlloc<Special> g_storage{g_special_bytes};

Special* pop_spare(Lane& lane) {
  Special* const special = lane.first_spare;
  lane.first_spare = special->next;
  lane.spare--;
  return special;
}

void push_spare(Lane& lane, Special* special) {
  special->next = lane.first_spare;
  lane.first_spare = special;
  lane.spare++;
}

void give_back(Lane& lane, Special* special) {
  push_spare(lane, special);
  store_relaxed(&lane.in_use, lane.in_use - 1);
  if (LIBALLOC_LIKELY(lane.spare <= 2 * kBatch)) return;
  LockHolder hold(g_storage_lock);
  while (lane.spare > kBatch) g_storage.free(pop_spare(lane));
}

void set_filter(Span* span) {
  uint64_t filter = 0;
  for (const Special* s = span->specials; s != nullptr; s = s->next) filter |= special_filter_bit(s->slot);
  span->special_filter.store(filter, std::memory_order_relaxed);
  const uint8_t cls = filter != 0 && span->size_class != 0 ? page_class_of(span->cache_class) : uint8_t{0};
  span->special_class.store(cls, std::memory_order_relaxed);
}

uintptr_t page_of_slot(const Span* span, uint32_t slot) { return span->slot_address(slot) & ~(kPageBytes - 1); }

bool any_starts_on_page(const Span* span, uintptr_t page) {
  for (const Special* s = span->specials; s != nullptr; s = s->next) {
    if (page_of_slot(span, s->slot) == page) return true;
  }
  return false;
}

}  // namespace

bool reserve_special(uint32_t lane) {
  Lane& mine = g_lanes[lane];
  if (LIBALLOC_LIKELY(mine.spare != 0)) return true;
  LockHolder hold(g_storage_lock);
  while (mine.spare < kBatch) {
    Special* const special = g_storage.allocate();
    if (special == nullptr) break;
    push_spare(mine, special);
  }
  return mine.spare != 0;
}

bool add_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t sample_record, uint32_t lane) {
  if (!reserve_special(lane)) return false;
  Special* const special = pop_spare(g_lanes[lane]);
  store_relaxed(&g_lanes[lane].in_use, g_lanes[lane].in_use + 1);
  special->slot = slot;
  special->sample_record = sample_record;
  Special** at = &span->specials;
  while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
  LIBALLOC_DCHECK(*at == nullptr || (*at)->slot != slot);
  special->next = *at;
  store_relaxed(at, special);  // has_specials() looks without the lock
  set_filter(span);
  if (span->size_class != 0) map.set_class_at(span->slot_address(slot), 0);  // pages of large objects have none
  return true;
}

uint32_t remove_special(ArenaMap& map, Span* span, uint32_t slot, uint32_t lane) {
  Special** at = &span->specials;
  while (*at != nullptr && (*at)->slot < slot) at = &(*at)->next;
  if (*at == nullptr || (*at)->slot != slot) return 0;
  Special* found = *at;
  store_relaxed(at, found->next);
  set_filter(span);
  if (span->size_class != 0 && !any_starts_on_page(span, page_of_slot(span, slot))) {
    map.set_class_at(page_of_slot(span, slot), page_class_of(span->cache_class));
  }
  const uint32_t record = found->sample_record;
  give_back(g_lanes[lane], found);
  return record;
}

uint32_t find_special(const Span* span, uint32_t slot) {
  const Special* at = span->specials;
  while (at != nullptr && at->slot < slot) at = at->next;
  return at != nullptr && at->slot == slot ? at->sample_record : 0;
}

void clear_specials(ArenaMap& map, Span* span) {
  span->specials_lock.reset_after_fork();
  while (span->specials != nullptr) {
    unmark_page(span->slot_address(span->specials->slot));
    remove_special(map, span, span->specials->slot);
  }
}

uint64_t specials_inuse_count() {
  uint64_t count = 0;
  for (const Lane& lane : g_lanes) count += load_relaxed(&lane.in_use);
  return count;
}
uint64_t specials_inuse_bytes() { return specials_inuse_count() * sizeof(Special); }
uint64_t specials_sys_bytes() { return g_special_bytes.load(); }

void specials_lock_for_fork() { g_storage_lock.lock(); }
void specials_unlock_after_fork(bool in_child) {
  if (in_child) g_storage_lock.reset_after_fork();
  else g_storage_lock.unlock();
}

}  // namespace liballoc
