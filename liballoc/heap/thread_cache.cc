// thread_cache.cc - the slow half of a thread's cache: see thread_cache.h.
#include "liballoc/heap/thread_cache.h"

#include <cstring>

#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/repeated_slot.h"

namespace liballoc {

namespace {

consteval std::array<uint32_t, kCacheClasses + 1> make_slot_offsets() {
  std::array<uint32_t, kCacheClasses + 1> offsets{};
  for (unsigned c = 0; c < kCacheClasses; c++) offsets[c + 1] = offsets[c] + max_slots(size_class_of(c));
  return offsets;
}
constexpr auto kSlotOffset = make_slot_offsets();
static_assert(kSlotOffset[kCacheClasses] == kAllSlots);
constexpr uint32_t kFirstFill = 8, kFirstLimit = 16;
constexpr uint8_t kDeclined = 8;  // frees that a thread declines to keep
static_assert(kFirstLimit <= kFewSlots);

// Keeps the sum over bins as of their last slow path, without walking them.
void note_cached(ThreadState& state, unsigned cache_cls) {
  const Bin& bin = state.cache->bins[cache_cls];
  const auto now = static_cast<uint16_t>(bin.top - bin.base);
  const uint64_t each = kClasses[size_class_of(cache_cls)].bytes;
  state.bin_bytes += (uint64_t{now} - state.noted[cache_cls]) * each;
  state.noted[cache_cls] = now;
}

// As a class is before a thread has shown how much it asks for.
void start_small(ThreadState& state, unsigned cache_cls) {
  Bin& bin = state.cache->bins[cache_cls];
  bin.base = bin.top = bin.limit = state.few + size_t{cache_cls} * kFewSlots;
  state.declined[cache_cls] = 0;
  state.fill[cache_cls] = takes_slots_directly(size_class_of(cache_cls)) ? 1 : kFirstFill;  // each may cost a span
}

void open_bin(ThreadState& state, unsigned cache_cls) {
  const uint32_t most = max_slots(size_class_of(cache_cls));
  Bin& bin = state.cache->bins[cache_cls];
  bin.limit = bin.base + (most < kFirstLimit ? most : kFirstLimit);
}

// Lets a bin hold that many slots, in another place if need be.
void grow_bin(ThreadState& state, unsigned cache_cls, uint32_t slots) {
  Bin& bin = state.cache->bins[cache_cls];
  void** const few = state.few + size_t{cache_cls} * kFewSlots;
  if (slots > kFewSlots && bin.base == few) {
    const size_t n = static_cast<size_t>(bin.top - bin.base);
    bin.base = state.slots + kSlotOffset[cache_cls];
    memcpy(bin.base, few, n * sizeof(void*));
    bin.top = bin.base + n;
  }
  bin.limit = bin.base + slots;
}

// 64 KiB worth, between 8 and 64; of small objects 16 KiB worth, up to 512.
uint32_t slots_for_others(unsigned size_class) {
  const uint32_t bytes = kClasses[size_class].bytes, few = 65536 / bytes, many = 16384 / bytes;
  if (few < 64) return few < 8 ? 8 : few;
  return many < 64 ? 64 : many > 512 ? 512 : many;
}

uint32_t max_fill(unsigned size_class) {
  const uint32_t half = max_slots(size_class) / 2;
  return half == 0 ? 1 : half;
}

}  // namespace

bool thread_cache_is_ready(const ThreadState& state) { return state.cache->bins[0].base != nullptr; }

void thread_cache_forget(ThreadState& state) {
  memset(static_cast<void*>(state.cache), 0, sizeof(ThreadCache));
  for (Span*& s : state.spans) s = nullptr;
  state.pages = PageCache();
  state.tiny = TinyCursor();  // the rest of that block is lost
  state.saved = false;
}

void thread_cache_reset_bins(ThreadState& state) {
  for (unsigned c = 0; c < kCacheClasses; c++) {
    start_small(state, c);
    state.noted[c] = 0;
  }
  state.bin_bytes = 0;
}

void* thread_cache_refill(Heap& heap, ThreadState& state, unsigned cache_cls, bool* zero) {
  *zero = false;
  Bin& bin = state.cache->bins[cache_cls];
  LIBALLOC_DCHECK(bin.top == bin.base);
  if (bin.limit == bin.base) open_bin(state, cache_cls);
  const unsigned size_cls = size_class_of(cache_cls);
  uint32_t want = state.fill[cache_cls];
  const uint32_t most = max_fill(size_cls);
  if (want > most) want = most;
  // A class that is refilled often gets more each time.
  state.fill[cache_cls] = static_cast<uint16_t>(want * 2 > most ? most : want * 2);
  if (bin.limit < bin.base + want) grow_bin(state, cache_cls, want);

  if (const uint32_t got = heap.transfer(cache_cls).take(bin.base + want, want)) {
    if (got < want) memmove(bin.base, bin.base + want - got, got * sizeof(void*));
    bin.top = bin.base + got - 1;
    note_cached(state, cache_cls);
    return *bin.top;
  }
  if (takes_slots_directly(size_cls)) {
    const uint32_t taken = heap.central(cache_cls).take_slots(bin.base + want, want, zero);
    if (taken == 0) return nullptr;
    if (taken < want) memmove(bin.base, bin.base + want - taken, taken * sizeof(void*));
    bin.top = bin.base + taken - 1;
    note_cached(state, cache_cls);
    return *bin.top;
  }
  Span* span = state.spans[cache_cls];
  uint32_t got = span != nullptr ? span->take(bin.base + want, want) : 0;
  while (got == 0) {
    span = heap.central(cache_cls).cache_span(span, &state);
    state.spans[cache_cls] = span;
    if (span == nullptr) return nullptr;
    got = span->take(bin.base + want, want);
  }
  *zero = !span->need_zero;
  observe_span(span, SpanEvent::kTaken, span->alloc_count);
  if (got < want) memmove(bin.base, bin.base + want - got, got * sizeof(void*));
  bin.top = bin.base + got - 1;
  note_cached(state, cache_cls);
  return *bin.top;
}

bool thread_cache_keeps(ThreadState& state, unsigned cache_cls) {
  const Bin& bin = state.cache->bins[cache_cls];
  if (LIBALLOC_LIKELY(bin.limit != bin.base)) return true;
  if (state.declined[cache_cls] < kDeclined) {
    state.declined[cache_cls]++;
    return false;
  }
  return true;
}

namespace {

// Gives the n oldest slots of a bin to others. False when one of them cannot be freed.
bool give_oldest(Heap& heap, ThreadState& state, unsigned cache_cls, uint32_t n, BadFree* bad, void** culprit) {
  Bin& bin = state.cache->bins[cache_cls];
  const auto held = static_cast<uint32_t>(bin.top - bin.base);
  // The list may refuse a slot, so the bin is changed only afterwards. A fork in between finds slots both here and marked:
  // the fork handler waits for the lock, and the child of another thread does not use this bin.
  const uint32_t given = heap.transfer(cache_cls).give(bin.base, n, bad);
  if (*bad != BadFree::kNone) *culprit = bin.base[given];
  memmove(bin.base, bin.base + given, (held - given) * sizeof(void*));
  bin.top -= given;
  note_cached(state, cache_cls);
  return *bad == BadFree::kNone;
}

}  // namespace

bool thread_cache_make_room(Heap& heap, ThreadState& state, unsigned cache_cls, BadFree* bad, void** culprit) {
  Bin& bin = state.cache->bins[cache_cls];
  if (bin.limit == bin.base) {
    *bad = BadFree::kNone;
    open_bin(state, cache_cls);
    return true;
  }
  // A thread that frees more than it asks for, what others made, has no use for many slots.
  const uint32_t asked = 2 * uint32_t{state.fill[cache_cls]};
  const uint32_t for_others = slots_for_others(size_class_of(cache_cls));
  uint32_t most = asked > for_others ? asked : for_others;
  if (most > max_slots(size_class_of(cache_cls))) most = max_slots(size_class_of(cache_cls));
  const uint32_t limit = static_cast<uint32_t>(bin.limit - bin.base);
  *bad = BadFree::kNone;
  if (limit < most && state.bin_bytes < kMaxBinBytes) {
    grow_bin(state, cache_cls, limit * 2 > most ? most : limit * 2);
    return true;
  }
  // The older half goes: what was freed last is warm.
  const uint32_t n = static_cast<uint32_t>(bin.top - bin.base);
  return give_oldest(heap, state, cache_cls, n / 2 == 0 ? n : n / 2, bad, culprit);
}

bool thread_cache_shrink(Heap& heap, ThreadState& state, BadFree* bad, void** culprit) {
  *bad = BadFree::kNone;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    const Bin& bin = state.cache->bins[c];
    const auto held = static_cast<uint32_t>(bin.top - bin.base);
    const uint64_t refills = load_relaxed(&state.counters[c].refills);
    const bool ran_out = refills != state.seen_refills[c];
    state.seen_refills[c] = refills;
    if (ran_out || held == 0) continue;
    if (!give_oldest(heap, state, c, held / 4 == 0 ? held : held / 4, bad, culprit)) return false;
  }
  return true;
}

bool thread_cache_flush(Heap& heap, ThreadState& state, BadFree* bad, void** culprit) {
  *bad = BadFree::kNone;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    Bin& bin = state.cache->bins[c];
    const uint32_t n = static_cast<uint32_t>(bin.top - bin.base);
    if (n == 0 && state.noted[c] == 0 && state.spans[c] == nullptr && bin.limit == bin.base) continue;
    if (n != 0) {
      const uint32_t given = heap.transfer(c).give(bin.base, n, bad);
      if (*bad != BadFree::kNone) {
        *culprit = bin.base[given];
        return false;
      }
      bin.top = bin.base;
    }
    note_cached(state, c);  // also of a bin that was emptied by hits: they note nothing
    start_small(state, c);
    if (state.spans[c] != nullptr) {
      heap.central(c).uncache_span(state.spans[c]);
      state.spans[c] = nullptr;
    }
  }
  state.pages.flush(heap);
  return true;
}

void* thread_cache_repeated(const ThreadState& state) {
  for (const Bin& bin : state.cache->bins) {
    const auto held = static_cast<uint32_t>(bin.top - bin.base);
    if (held < 2) continue;
    const uint32_t repeated = first_repeated(bin.base, held);
    if (LIBALLOC_UNLIKELY(repeated != held)) return bin.base[repeated];
  }
  return nullptr;
}

uint64_t thread_cache_bytes(const ThreadState& state) { return state.bin_bytes + state.pages.bytes(); }

void thread_cache_save_for_fork(ThreadState& state) {
  for (unsigned c = 0; c < kCacheClasses; c++) state.saved_bins[c] = state.cache->bins[c];
  state.saved = true;
}

void thread_cache_restore_after_fork(ThreadState& state) {
  thread_cache_reset_bins(state);
  if (!state.saved) return;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    state.cache->bins[c] = state.saved_bins[c];
    note_cached(state, c);
  }
  state.saved = false;
}

}  // namespace liballoc
