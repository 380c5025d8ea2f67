// arena_map.cc - see arena_map.h.
#include "liballoc/heap/arena_map.h"

#include "liballoc/os/sys_mem.h"

namespace liballoc {

bool ArenaMap::init(RelaxedCounter& stat, Entry* storage) {
  // Backed where touched: one system page of entries spans 32 GiB of heap.
  const size_t bytes = kArenaEntries * sizeof(Entry);
  if (storage == nullptr) {
    void* p = sys_reserve(nullptr, bytes);
    if (p == nullptr) return false;
    if (!sys_map(p, bytes)) {
      sys_free(p, bytes, MemState::kReserved);
      return false;
    }
    storage = static_cast<Entry*>(p);
  }
  stat.add(system_page_bytes());
  entries_.store(storage, std::memory_order_release);  // pairs with arena_of()
  return true;
}

Span* ArenaMap::raw_span(uintptr_t address) const {
  HeapArena* arena = arena_of(address);
  if (arena == nullptr) return nullptr;
  // Acquire: pairs with the release in set_spans(); the span's fields are set.
  return arena->spans[page_in_arena(address)].load(std::memory_order_acquire);
}

namespace {
bool holds(const Span* s, uintptr_t address) {
  // Acquire: pairs with the release when the page heap hands a span out.
  return s != nullptr && s->state.load(std::memory_order_acquire) == SpanState::kInUse && address >= s->base &&
         address - s->base < s->bytes();
}
}  // namespace

Span* ArenaMap::find_in_use(uintptr_t address) const {
  Span* s = raw_span(address);
  if (LIBALLOC_LIKELY(holds(s, address))) return s;
  return find_from_first_page(address);
}

// The nearest in-use span that begins at or before the address, when it reaches so far. A pointer that no malloc returned brings
// us here, so it may take its time.
Span* ArenaMap::find_from_first_page(uintptr_t address) const {
  size_t page = page_in_arena(address);
  uintptr_t base = address & ~(kArenaBytes - 1);
  for (const HeapArena* arena = arena_of(base); arena != nullptr; arena = arena_of(base)) {
    for (size_t word = page / 64 + 1; word-- > 0;) {
      uint64_t bits = arena->pages_in_use[word].load(std::memory_order_relaxed);
      if (word == page / 64) bits &= ~uint64_t{0} >> (63 - page % 64);
      if (bits == 0) continue;
      const size_t first = word * 64 + 63 - static_cast<unsigned>(std::countl_zero(bits));
      Span* s = arena->spans[first].load(std::memory_order_acquire);  // as in raw_span()
      return holds(s, address) ? s : nullptr;
    }
    if (base < kArenaBytes) break;
    base -= kArenaBytes;
    page = kPagesPerArena - 1;
  }
  return nullptr;
}

// Hands each arena that a span lies in, with the span's pages there, to visit(arena, first page, end).
template <typename Visit>
void ArenaMap::visit_pages(const Span* span, Visit visit) const {
  uintptr_t at = span->base;
  for (size_t left = span->pages; left != 0;) {
    const size_t first = page_in_arena(at), room = kPagesPerArena - first, some = left < room ? left : room;
    visit(arena_of(at), first, first + some);
    left -= some;
    at += some << kPageShift;
  }
}

void ArenaMap::set_spans(Span* span) {
  span->named_throughout = true;
  visit_pages(span, [span](HeapArena* arena, size_t page, size_t end) {
    for (; page < end; page++) arena->spans[page].store(span, std::memory_order_release);
  });
}

void ArenaMap::set_boundary(Span* span) {
  const uintptr_t last = span->end() - kPageBytes;
  arena_of(span->base)->spans[page_in_arena(span->base)].store(span, std::memory_order_release);
  arena_of(last)->spans[page_in_arena(last)].store(span, std::memory_order_release);
}

void ArenaMap::set_class(const Span* span, uint8_t cls) {
  visit_pages(span, [cls](HeapArena* arena, size_t page, size_t end) {
    for (; page < end; page++) arena->page_class[page].store(cls, std::memory_order_relaxed);
  });
}

void ArenaMap::set_class_at(uintptr_t address, uint8_t cls) {
  arena_of(address)->page_class[page_in_arena(address)].store(cls, std::memory_order_relaxed);
}

void ArenaMap::set_in_use(const Span* span, bool in_use) {
  HeapArena* arena = arena_of(span->base);
  const size_t page = page_in_arena(span->base);
  std::atomic<uint64_t>& word = arena->pages_in_use[page / 64];
  const uint64_t bit = uint64_t{1} << (page % 64);
  const uint64_t old = word.load(std::memory_order_relaxed);  // writers hold the page heap's lock
  word.store(in_use ? old | bit : old & ~bit, std::memory_order_relaxed);
}

}  // namespace liballoc
