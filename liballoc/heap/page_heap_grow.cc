// page_heap_grow.cc - how the page heap gets more address space: carve from the current range, then new arenas. Contiguous
// arenas join, so that a large object can cross them. New memory counts as idle and released.
#include "liballoc/base/bits.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/page_heap.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {
// Address space for the metadata of 4096 arenas (256 GiB of heap) at first; beyond that each comes from the OS by itself.
constexpr size_t kMetadataReserve = 4096 * align_up(sizeof(HeapArena), 4096);
}  // namespace

bool PageHeap::init(unsigned hint_count, ArenaMap::Entry* arena_table) {
  LockHolder hold(lock_);
  if (!map_.init(sys_.gc, arena_table)) return false;
  hints_.init(hint_count);
  // Addresses that the program limits are kept for its own memory: arenas then get their metadata one by one, as they do
  // when the reservation is refused.
  if (os_address_space_limit() / 16 >= kMetadataReserve) static_cast<void>(arena_metadata_.init(kMetadataReserve));
  return true;
}

bool PageHeap::add_arenas_locked(uintptr_t base, size_t bytes) {
  for (uintptr_t at = base; at < base + bytes; at += kArenaBytes) {
    if (map_.arena_of(at) != nullptr) continue;  // left by an attempt that failed further on: no page of it was used
    const size_t metadata_bytes = align_up(sizeof(HeapArena), system_page_bytes());
    void* metadata = arena_metadata_.allocate(metadata_bytes, system_page_bytes(), sys_.gc);
    if (metadata == nullptr) {
      metadata = sys_alloc(metadata_bytes);
      if (metadata == nullptr) return false;
      sys_.gc.add(metadata_bytes);
    }
    map_.set(arena_index(at), static_cast<HeapArena*>(metadata));  // zero pages are a valid empty arena
  }
  stats_.arenas += bytes / kArenaBytes;
  return true;
}

bool PageHeap::grow_locked(size_t pages) {
  size_t ask = 0;
  if (!checked_align_up(pages, kGrowPages, &ask) || ask > (SIZE_MAX >> (kPageShift + 1))) return false;
  if (stats_.soft_limit != 0) {
    const uint64_t backed = stats_.heap_sys() - stats_.released;
    const uint64_t after = backed + (pages << kPageShift);
    if (after > stats_.soft_limit) {
      stats_.soft_limit_hits++;
      scavenge_locked(after - stats_.soft_limit, UINT64_MAX, UINT64_MAX, false);
    }
  }
  const size_t bytes = ask << kPageShift;
  bool mapped = false;
  if (current_end_ - current_at_ < bytes) {
    const size_t arena_bytes = align_up(bytes, kArenaBytes);
    void* p = hints_.reserve(arena_bytes);
    if (p == nullptr) return false;
    const uintptr_t at = reinterpret_cast<uintptr_t>(p);
    const bool joins = at == current_end_;
    // The OS says now whether it grants so much, before there is metadata for it.
    void* const first = reinterpret_cast<void*>(joins ? current_at_ : at);
    mapped = sys_map(first, bytes);
    if (!mapped || !add_arenas_locked(at, arena_bytes)) {
      if (mapped) sys_fault(first, bytes, MemState::kPrepared);
      hints_.give_back(p, arena_bytes);  // entries that were set stay: an arena without spans
      return false;
    }
    if (joins) {
      current_end_ += arena_bytes;
    } else {
      // The rest of the old range goes into the heap as it is, then the new one takes its place.
      const uintptr_t rest = current_at_;
      const size_t rest_bytes = current_end_ - current_at_;
      current_at_ = at;
      current_end_ = at + arena_bytes;
      if (rest_bytes != 0 && sys_map(reinterpret_cast<void*>(rest), rest_bytes)) {
        if (Span* s = new_span_locked(rest, rest_bytes >> kPageShift)) {
          s->scavenged = true;
          stats_.idle += rest_bytes;
          stats_.released += rest_bytes;
          insert_free_locked(s);
          if (g_heap_observer.grew != nullptr) g_heap_observer.grew(rest, rest_bytes);
        }
      }
    }
  }
  const uintptr_t at = current_at_;
  if (!mapped && !sys_map(reinterpret_cast<void*>(at), bytes)) return false;
  Span* s = new_span_locked(at, ask);
  if (s == nullptr) {
    sys_fault(reinterpret_cast<void*>(at), bytes, MemState::kPrepared);
    return false;
  }
  current_at_ = at + bytes;
  s->scavenged = true;
  s->unused_since = heap_now();
  stats_.idle += bytes;
  stats_.released += bytes;
  stats_.grows++;
  stats_.grow_bytes += bytes;
  insert_free_locked(s);
  if (g_heap_observer.grew != nullptr) g_heap_observer.grew(at, bytes);
  return true;
}

}  // namespace liballoc
