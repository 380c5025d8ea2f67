// repeated_slot.cc - see repeated_slot.h.
#include "liballoc/heap/repeated_slot.h"

#include <array>

#include "liballoc/base/compiler.h"

namespace liballoc {

namespace {

constexpr uint32_t kMostCompared = 256;
constexpr uint32_t kTableBits = 9;

// Odd multipliers with little in common: what meets in one round parts in the next.
constexpr std::array<uint64_t, 4> kMultipliers = {0x9e3779b97f4a7c15u, 0xd1342543de82ef95u, 0xaf251af3b0f025b5u, 0xb564ef22ec7aece5u};

uint32_t bucket_of(const void* slot, uint64_t multiplier) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(slot) * multiplier >> (64 - kTableBits));
}

// The slow way, and the exact answer.
uint32_t first_repeated_by_pairs(void* const* slots, uint32_t n) {
  for (uint32_t i = 1; i < n; i++) {
    for (uint32_t j = 0; j < i; j++) {
      if (slots[i] == slots[j]) return i;
    }
  }
  return n;
}

// One round of any_repeated(): each of the slots writes its index into its bucket, and who finds another's there is compared with
// that one and goes into the next round. No branch depends on the slots. Of a bucket one stays, and whoever equals it was in that
// bucket. `index_of(k)` is the k-th index; returns how many are in rest[].
template <typename IndexOf>
LIBALLOC_INLINE uint32_t round_of(void* const* slots, uint32_t count, uint64_t multiplier, uint8_t* table, uint8_t* rest, bool* repeated,
                                  IndexOf index_of) {
  for (uint32_t k = 0; k < count; k++) table[bucket_of(slots[index_of(k)], multiplier)] = static_cast<uint8_t>(index_of(k));
  uint32_t left = 0;
  bool same = false;  // not in memory, which each write of a byte might change as far as the compiler knows
  for (uint32_t k = 0; k < count; k++) {
    const uint32_t i = index_of(k), winner = table[bucket_of(slots[i], multiplier)];
    same |= static_cast<bool>((winner != i) & (slots[winner] == slots[i]));
    rest[left] = static_cast<uint8_t>(i);  // index_of() has read this place before
    left += winner != i;
  }
  *repeated = same;
  return left;
}

// False only when no slot repeats.
bool any_repeated(void* const* slots, uint32_t n) {
  uint8_t table[1u << kTableBits];  // read only where this round has written
  uint8_t rest[kMostCompared];      // who goes on
  bool repeated = false;
  uint32_t left = round_of(slots, n, kMultipliers[0], table, rest, &repeated, [](uint32_t k) { return k; });
  for (size_t next = 1; left > 1 && !repeated; next++) {
    if (next == kMultipliers.size()) return true;  // maybe: the slow way knows
    left = round_of(slots, left, kMultipliers[next], table, rest, &repeated, [&rest](uint32_t k) { return uint32_t{rest[k]}; });
  }
  return repeated;
}

// Whether the slots are a few stretches that each only rise or only fall, with no address in the range of two: what a program
// frees in the order in which it asked for it, or in the reverse, is that, and then none repeats. Ends early where they are not.
bool in_few_stretches(void* const* slots, uint32_t n) {
  constexpr uint32_t kStretches = 4;
  uintptr_t lows[kStretches], highs[kStretches];
  const auto at = [slots](uint32_t i) { return reinterpret_cast<uintptr_t>(slots[i]); };
  uint32_t i = 0, count = 0;
  while (i < n) {
    if (count == kStretches) return false;
    const uint32_t first = i++;
    if (i < n && at(i) > at(first)) {
      do i++;
      while (i < n && at(i) > at(i - 1));
    } else {
      while (i < n && at(i) < at(i - 1)) i++;
    }
    const uintptr_t one = at(first), other = at(i - 1), low = one < other ? one : other, high = one < other ? other : one;
    for (uint32_t k = 0; k < count; k++) {
      if (low <= highs[k] && lows[k] <= high) return false;
    }
    lows[count] = low;
    highs[count++] = high;
  }
  return true;
}

}  // namespace

uint32_t first_repeated(void* const* slots, uint32_t n) {
  for (uint32_t i = 0; i < n; i += kMostCompared) {
    const uint32_t some = n - i < kMostCompared ? n - i : kMostCompared;
    if (in_few_stretches(slots + i, some)) continue;
    if (LIBALLOC_LIKELY(!any_repeated(slots + i, some))) continue;
    const uint32_t different = first_repeated_by_pairs(slots + i, some);
    if (different != some) return i + different;
  }
  return n;
}

}  // namespace liballoc
