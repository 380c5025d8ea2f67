// bits.h - arithmetic on addresses and sizes: alignment, powers of two, overflow. Pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace liballoc {

constexpr bool is_power_of_two(size_t n) { return n != 0 && (n & (n - 1)) == 0; }
constexpr size_t align_down(size_t n, size_t align) { return n & ~(align - 1); }
// Wraps when n + align - 1 does; callers bound n first or use checked_align_up.
constexpr size_t align_up(size_t n, size_t align) { return (n + align - 1) & ~(align - 1); }
constexpr size_t div_round_up(size_t n, size_t by) { return (n + by - 1) / by; }

// False when the result does not fit; *out is then unspecified.
[[nodiscard]] constexpr bool checked_mul(size_t a, size_t b, size_t* out) {
  return !__builtin_mul_overflow(a, b, out);
}
[[nodiscard]] constexpr bool checked_align_up(size_t n, size_t align, size_t* out) {
  if (__builtin_add_overflow(n, align - 1, out)) return false;
  *out &= ~(align - 1);
  return true;
}

// Index of the highest set bit; n must not be 0.
constexpr unsigned log2_floor(uint64_t n) { return 63u - static_cast<unsigned>(std::countl_zero(n)); }

}  // namespace liballoc
