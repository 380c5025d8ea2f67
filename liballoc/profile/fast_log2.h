// fast_log2.h - base-2 logarithms from a committed table with linear interpolation; no libm. The
// error is below 1.2e-5 (see fast_log2.cc). Pure functions.
#pragma once

#include <cstdint>

namespace liballoc {

inline constexpr unsigned kLog2FractionBits = 48;

// log2(n) in fixed point with kLog2FractionBits fraction bits, by integer arithmetic only. n must
// not be 0.
uint64_t fast_log2_fixed(uint64_t n);

// log2(x) for a positive normal x.
double fast_log2(double x);

}  // namespace liballoc
