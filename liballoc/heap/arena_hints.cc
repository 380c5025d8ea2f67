// arena_hints.cc - see arena_hints.h.
#include "liballoc/heap/arena_hints.h"

#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/heap_arena.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {
#if defined(__x86_64__)
constexpr uintptr_t kFirstHint = uintptr_t{0x00c0} << 32;
#else
constexpr uintptr_t kFirstHint = uintptr_t{0x0040} << 32;
#endif

bool in_range(uintptr_t at, size_t bytes) {
  return arena_index(at) < kArenaEntries && arena_index(at + bytes - 1) < kArenaEntries && at + bytes > at;
}
}  // namespace

void ArenaHints::push_front(uintptr_t address, bool down) {
  ArenaHint* h = hints_.allocate();
  if (h == nullptr) return;  // one hint fewer: the fallback still finds memory
  h->address = address;
  h->down = down;
  h->next = first_;
  first_ = h;
}

void ArenaHints::init(unsigned count) {
  for (unsigned i = count; i-- > 0;) push_front(kFirstHint | (uintptr_t{i} << 40), false);
}

void ArenaHints::give_back(void* at, size_t bytes) {
  sys_free(at, bytes, MemState::kReserved);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at);
  if (first_ != nullptr && first_->down && first_->address == begin) first_->address = begin + bytes;
  else if (first_ != nullptr && !first_->down && first_->address == begin + bytes) first_->address = begin;
}

void* ArenaHints::reserve(size_t bytes) {
  if (!in_range(kFirstHint, bytes)) return nullptr;  // fits nowhere: no reason to give a hint up
  while (first_ != nullptr) {
    ArenaHint* h = first_;
    const uintptr_t want = h->down ? h->address - bytes : h->address;
    const bool wraps = h->down ? h->address < bytes : h->address + bytes < h->address;
    if (!wraps && in_range(want, bytes)) {
      void* got = sys_reserve(reinterpret_cast<void*>(want), bytes);
      if (reinterpret_cast<uintptr_t>(got) == want) {
        h->address = h->down ? want : want + bytes;
        return got;
      }
      if (got == nullptr) return nullptr;  // refused, not misplaced: the other hints would be refused as well
      sys_free(got, bytes, MemState::kReserved);
      collisions_++;
    }
    first_ = h->next;
    hints_.free(h);
  }
  void* got = sys_reserve_aligned(nullptr, bytes, kArenaBytes);
  if (got == nullptr) return nullptr;
  const uintptr_t at = reinterpret_cast<uintptr_t>(got);
  if (!in_range(at, bytes)) {
    sys_free(got, bytes, MemState::kReserved);
    out_of_range_++;
    return nullptr;
  }
  push_front(at + bytes, false);
  push_front(at, true);
  return got;
}

}  // namespace liballoc
