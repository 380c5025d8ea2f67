// repeated_slot.cc - see repeated_slot.h.
#include "liballoc/heap/repeated_slot.h"

#include <cstring>

#include "liballoc/base/compiler.h"

namespace liballoc {

namespace {

constexpr uint32_t kMostCompared = 255;

uint32_t first_repeated_of_few(void* const* slots, uint32_t n) {
  uint8_t table[512];  // index + 1, 0 = empty; of a small batch only the first part is in use
  uint32_t bits = 5;
  while (n > uint32_t{1} << (bits - 1)) bits++;
  memset(table, 0, size_t{1} << bits);
  for (uint32_t i = 0; i < n; i++) {
    const uintptr_t p = reinterpret_cast<uintptr_t>(slots[i]);
    uint32_t at = static_cast<uint32_t>(p * 0x9e3779b97f4a7c15u >> (64 - bits));
    while (LIBALLOC_UNLIKELY(table[at] != 0)) {
      if (slots[table[at] - 1] == slots[i]) return i;
      at = (at + 1) & ((1u << bits) - 1);
    }
    table[at] = static_cast<uint8_t>(i + 1);
  }
  return n;
}

}  // namespace

uint32_t first_repeated(void* const* slots, uint32_t n) {
  for (uint32_t i = 0; i < n; i += kMostCompared) {
    const uint32_t some = n - i < kMostCompared ? n - i : kMostCompared;
    const uint32_t different = first_repeated_of_few(slots + i, some);
    if (LIBALLOC_UNLIKELY(different != some)) return i + different;
  }
  return n;
}

}  // namespace liballoc
