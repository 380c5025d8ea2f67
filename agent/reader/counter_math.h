// counter_math.h - the arithmetic of counters that are read while they change. Pure, total
// functions: no input is undefined, nothing wraps.
#pragma once

#include <cstdint>
#include <limits>

namespace liballoc::agent {

constexpr uint64_t saturating_add(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}
constexpr uint64_t saturating_sub(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }
constexpr uint64_t saturating_mul(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<uint64_t>::max() : product;
}
// A non-negative finite estimate as a count; 0 for NaN and below, the maximum above.
constexpr uint64_t saturating_round(double value) {
  if (!(value > 0)) return 0;
  if (value >= 18446744073709549568.0) return std::numeric_limits<uint64_t>::max();
  return static_cast<uint64_t>(value + 0.5);
}

// The value with these low 32 bits that is nearest to `reference`; 0 where that would be negative.
constexpr uint64_t extend_nearest(uint64_t reference, uint32_t low) {
  const uint32_t distance = low - static_cast<uint32_t>(reference);  // mod 2^32, forwards
  if (distance < 0x80000000u) return saturating_add(reference, distance);
  return saturating_sub(reference, uint64_t{0x100000000u} - distance);
}

// Objects handed out by one thread of one class: see struct liballoc_abi_class_counter. `granted`
// may be from a moment before or after the other two, which come from one word.
constexpr uint64_t objects_handed_out(uint64_t granted, uint32_t granted_low, int32_t countdown) {
  return extend_nearest(granted, granted_low - static_cast<uint32_t>(countdown));
}

}  // namespace liballoc::agent
