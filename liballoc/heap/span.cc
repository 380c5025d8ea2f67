// span.cc - walking a span's bitmap and sweeping: see span.h.
#include "liballoc/heap/span.h"

#include "liballoc/base/atomic.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

void Span::init_small(unsigned cache_cls, uint64_t* bits, uint32_t words) {
  const SizeClass& c = kClasses[size_class_of(cache_cls)];
  size_class = static_cast<uint8_t>(size_class_of(cache_cls));
  cache_class = static_cast<uint8_t>(cache_cls);
  noscan = cache_cls >= kSizeClasses;
  object_bytes = c.bytes;
  objects = c.objects;
  magic = c.magic;
  bit_words = words;
  alloc_bits = bits;
  mark_bits = bits + words;
  for (uint32_t i = 0; i < 2 * words; i++) bits[i] = 0;
  alloc_count = mark_count = 0;
  free_index = 0;
  alloc_cache = ~uint64_t{0};
}

void Span::refill_alloc_cache(uint32_t word) { alloc_cache = ~alloc_bits[word]; }

uint32_t Span::next_free_index() {
  uint32_t at = free_index;
  if (at == objects) return objects;
  unsigned skip = static_cast<unsigned>(std::countr_zero(alloc_cache));
  while (skip == 64) {
    at = (at + 64) & ~63u;
    if (at >= objects) {
      free_index = objects;
      return objects;
    }
    refill_alloc_cache(at / 64);
    skip = static_cast<unsigned>(std::countr_zero(alloc_cache));
  }
  const uint32_t result = at + skip;
  if (result >= objects) {
    free_index = objects;
    return objects;
  }
  alloc_cache = alloc_cache >> skip >> 1;
  at = result + 1;
  if (at % 64 == 0 && at != objects) refill_alloc_cache(at / 64);
  free_index = at;
  return result;
}

void* Span::next_free() {
  const uint32_t index = next_free_index();
  if (index == objects) return nullptr;
  alloc_count++;
  return reinterpret_cast<void*>(slot_address(index));
}

uint32_t Span::take(void** end, uint32_t n) {
  uint32_t taken = 0;
  while (taken < n) {
    // The rest of the window: free_index is inside it, or alloc_cache is empty.
    uint64_t window = alloc_cache;
    uint32_t at = free_index;
    uintptr_t address = slot_address(at);
    if (window == ~uint64_t{0}) {  // untouched: no bits to look for
      const uint32_t room = objects - at < 64 ? objects - at : 64;
      const uint32_t some = room < n - taken ? room : n - taken;
      for (uint32_t i = 0; i < some; i++, address += object_bytes) {
        end[-static_cast<ptrdiff_t>(++taken)] = reinterpret_cast<void*>(address);
      }
      at += some;
      window = some == 64 ? 0 : at == objects ? 0 : window >> some;
    }
    while (window != 0 && taken < n) {
      const unsigned skip = static_cast<unsigned>(std::countr_zero(window));
      if (at + skip >= objects) {  // bits behind the last slot
        window = 0;
        at = objects;
        break;
      }
      address += size_t{skip} * object_bytes;
      end[-static_cast<ptrdiff_t>(++taken)] = reinterpret_cast<void*>(address);
      address += object_bytes;
      at += skip + 1;
      window = window >> skip >> 1;
    }
    alloc_cache = window;
    store_relaxed(&free_index, at);  // slot_taken() looks while another thread owns the span
    if (taken == n) break;
    // On to the next window that has a free slot.
    uint32_t word = (at + 63) / 64;
    while (word * 64 < objects && alloc_bits[word] == ~uint64_t{0}) word++;
    if (word * 64 >= objects) {
      store_relaxed(&free_index, objects);
      alloc_cache = 0;
      break;
    }
    store_relaxed(&free_index, word * 64);
    refill_alloc_cache(word);
  }
  // A window that was used up to its end must be the next one's for next_free_fast().
  if (free_index % 64 == 0 && free_index < objects) refill_alloc_cache(free_index / 64);
  alloc_count += taken;
  return taken;
}

bool Span::slot_taken(uint32_t slot) const {
  if ((alloc_bits[slot / 64] >> (slot % 64)) & 1) return true;
  // Relaxed: whoever hands over an object that was taken hands over this word as it was then, or
  // later.
  return slot <
         load_relaxed(
             &free_index);  // every slot before free_index was taken, or passed because it was
}

uint32_t Span::mark_run(void* const* slots, uint32_t n, BadFree* bad) {
  const uintptr_t begin = base, span_bytes = bytes();
  const uint32_t each = object_bytes, factor = magic, end = objects;
  // Where the window has passed the last slot, every one was handed out.
  const bool may_be_untaken = load_relaxed(&free_index) < end;
  uint64_t* const marks = mark_bits;
  uint32_t at = UINT32_MAX;  // the word of marks that `word` is, and that is still to be written
  uint64_t word = 0;
  const auto mark = [&](uint32_t slot) {
    if (slot / 64 != at) {
      if (at != UINT32_MAX) marks[at] = word;
      at = slot / 64;
      word = marks[at];
    }
    const uint64_t bit = uint64_t{1} << (slot % 64);
    if (LIBALLOC_UNLIKELY((word & bit) != 0 || (may_be_untaken && !slot_taken(slot)))) {
      *bad = BadFree::kDoubleFree;
      return false;
    }
    word |= bit;
    return true;
  };
  uint32_t i = 0;
  while (i < n) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(slots[i]) - begin;
    if (offset >= span_bytes) break;
    uint32_t slot = slot_index(static_cast<uint32_t>(offset), factor);
    if (LIBALLOC_UNLIKELY(size_t{slot} * each != offset || slot >= end)) {
      *bad = BadFree::kInterior;
      break;
    }
    if (!mark(slot)) break;
    if (++i == n) break;
    // What is freed all at once often lies in a row, up or down: then the next slot is known without a division.
    const intptr_t step = static_cast<char*>(slots[i]) - static_cast<char*>(slots[i - 1]);
    if (step != intptr_t{each} && step != -intptr_t{each}) continue;
    do {
      slot += step > 0 ? 1 : UINT32_MAX;
      if (slot >= end || !mark(slot)) break;  // it is looked at once more above, which says what is wrong with it
      i++;
    } while (i < n && static_cast<char*>(slots[i]) - static_cast<char*>(slots[i - 1]) == step);
  }
  if (at != UINT32_MAX) marks[at] = word;
  mark_count += i;
  return i;
}

uint32_t Span::sweep() {
  const uint32_t found = mark_count;
  // Everything the window has passed is taken; then the marked ones are free again.
  const uint32_t whole = free_index / 64, rest = free_index % 64;
  for (uint32_t w = 0; w < whole; w++) alloc_bits[w] = ~uint64_t{0};
  if (rest != 0) alloc_bits[whole] |= (uint64_t{1} << rest) - 1;
  for (uint32_t w = 0; w < bit_words; w++) {
    alloc_bits[w] &= ~mark_bits[w];
    mark_bits[w] = 0;
  }
  alloc_count -= found;
  mark_count = 0;
  if (found != 0) need_zero = true;  // a slot that was used can be handed out again
  store_relaxed(&free_index, uint32_t{0});
  refill_alloc_cache(0);
  return found;
}

const char* Span::wrong_shape() const {
  if (state.load(std::memory_order_relaxed) != SpanState::kInUse) return "it is not in use";
  if (size_class == 0 || size_class >= kSizeClasses || cache_class >= kCacheClasses ||
      size_class_of(cache_class) != size_class) {
    return "no such size class";
  }
  const SizeClass& c = kClasses[size_class];
  if (object_bytes != c.bytes || objects != c.objects || magic != c.magic || pages != c.pages ||
      base % kPageBytes != 0) {
    return "its size class and its measures disagree";
  }
  if (mark_count > alloc_count || alloc_count > objects || free_index > objects)
    return "its counts cannot be";
  return nullptr;
}

const char* Span::damage() const {
  if (const char* what = wrong_shape()) return what;
  uint32_t taken = 0, marked = 0;
  for (uint32_t w = 0; w * 64 < objects; w++) {
    uint64_t passed = 0;  // slots that the window is behind
    if (free_index >= (w + 1) * 64)
      passed = ~uint64_t{0};
    else if (free_index > w * 64)
      passed = (uint64_t{1} << (free_index % 64)) - 1;
    const uint64_t all = alloc_bits[w] | passed;
    if ((mark_bits[w] & ~all) != 0) return "a slot is marked free that was never handed out";
    taken += static_cast<uint32_t>(
        std::popcount(objects - w * 64 >= 64 ? all : all & ((uint64_t{1} << objects % 64) - 1)));
    marked += static_cast<uint32_t>(std::popcount(mark_bits[w]));
  }
  return taken == alloc_count && marked == mark_count ? nullptr
                                                      : "its counts and its bitmaps disagree";
}

void report_damaged_span(const Span* span, const char* what) {
  LineBuffer line;
  line.text("liballoc: corrupted metadata of the span at ").hex(span->base).text(": ").text(what);
  fatal(line, LIBALLOC_FAULT_CORRUPT_SPAN, span->base);
}

void Span::verify() const {
  LIBALLOC_CHECK(pages > 0 && base % kPageBytes == 0);
  if (state.load(std::memory_order_relaxed) != SpanState::kInUse || object_bytes == 0) return;
  LIBALLOC_CHECK(mark_count <= alloc_count && alloc_count <= objects && free_index <= objects);
  uint32_t taken = 0, marked = 0;
  for (uint32_t i = 0; i < objects; i++) {
    taken += slot_taken(i) ? 1 : 0;
    if (test_mark(i)) {
      marked++;
      LIBALLOC_CHECK(slot_taken(i));
    }
  }
  LIBALLOC_CHECK(taken == alloc_count && marked == mark_count);
}

}  // namespace liballoc
