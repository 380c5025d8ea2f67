// sampler.h - how many bytes to let pass until the next sample. Steps are exponential, so they have
// no memory: an object of size s is sampled with probability 1 - exp(-s / mean), whatever was
// allocated before it. No state but the caller's FastRand; no lock, no libm.
#pragma once

#include <cstdint>
#include <limits>

#include "liballoc/profile/fast_log2.h"
#include "liballoc/profile/fast_rand.h"

namespace liballoc {

inline constexpr unsigned kExpRandBits = 26;
inline constexpr uint64_t kMaxSampleMean =
    0x7000000;  // 26 * ln 2 * this, about 18 times it, still fits 31 bits

// The mean that a requested one really gives: estimates must be weighed by this.
constexpr uint64_t effective_sample_mean(uint64_t mean) {
  return mean > kMaxSampleMean ? kMaxSampleMean : mean;
}

// 1 + floor of an exponential draw: P(step <= s) = 1 - exp(-s / mean) for whole s. A mean of 0
// gives 0.
inline int32_t fast_exp_rand(FastRand& rand, uint64_t mean) {
  if (mean == 0) return 0;
  // q in 1..2^26 makes log2(q / 2^26) a draw of log2(uniform), at most 0.
  const double q = static_cast<double>(rand.next_bits(kExpRandBits)) + 1;
  constexpr double kLn2 = 0.69314718055994530942;
  double log2_uniform = fast_log2(q) - kExpRandBits;
  if (log2_uniform > 0) log2_uniform = 0;  // the table may round up to it
  return static_cast<int32_t>(-log2_uniform * kLn2 *
                              static_cast<double>(effective_sample_mean(mean))) +
         1;
}

// The same draw where floating point may not be used.
inline int32_t fast_exp_rand_integer(FastRand& rand, uint64_t mean) {
  if (mean == 0) return 0;
  const uint64_t q = uint64_t{rand.next_bits(kExpRandBits)} + 1;
  constexpr uint64_t kLn2Times2To32 = 2977044472;
  constexpr uint64_t kZero = uint64_t{kExpRandBits} << kLog2FractionBits;
  const uint64_t log2_q = fast_log2_fixed(q);
  const uint64_t minus_log2_uniform = log2_q > kZero ? 0 : kZero - log2_q;
  __extension__ using Wide = unsigned __int128;
  const Wide scaled = static_cast<Wide>(minus_log2_uniform) * kLn2Times2To32;  // 53 + 32 bits
  const Wide step = scaled * effective_sample_mean(mean) >> (kLog2FractionBits + 32);
  return static_cast<int32_t>(step) + 1;
}

// Bytes until the next sample. Mean 0 = never, 1 = every allocation.
inline int32_t next_sample(FastRand& rand, uint64_t mean) {
  if (mean == 0) return std::numeric_limits<int32_t>::max();
  if (mean == 1) return 0;
  return fast_exp_rand(rand, mean);
}

}  // namespace liballoc
