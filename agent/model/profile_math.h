// profile_math.h - from raw sampled counts to estimates of the whole, and how sure they are.
//
// An object of s allocated bytes is sampled with probability p = 1 - exp(-s / period),
// independently of all others, so each sample stands for 1/p objects. Pure functions; never given
// or returning a weight below 1.
#pragma once

#include <cmath>
#include <cstdint>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

// Probability that an object of this size is sampled. Period 1 means every object; 0 means that the
// period is unknown or sampling was off, and then a sample stands for itself only.
inline double sample_probability(uint64_t allocated_bytes, uint64_t period) {
  if (period <= 1) return 1.0;
  // An object of no bytes cannot be hit by a byte counter: take it as one byte, so that the weight
  // stays finite.
  const double bytes = allocated_bytes == 0 ? 1.0 : static_cast<double>(allocated_bytes);
  return -std::expm1(-bytes / static_cast<double>(period));
}

// Objects that one sampled object stands for.
inline double sample_weight(uint64_t allocated_bytes, uint64_t period) {
  return 1.0 / sample_probability(allocated_bytes, period);
}

// What one sampled object adds to the unbiased estimate of the variance of the object count:
// (1-p)/p^2. Summed over all samples (times value^2 per sample for an estimate in bytes), its root
// is the standard error of the estimate.
inline double sample_variance(uint64_t allocated_bytes, uint64_t period) {
  const double p = sample_probability(allocated_bytes, period);
  return (1.0 - p) / (p * p);
}

struct Estimate {
  double value = 0;
  double variance = 0;
  double standard_error() const { return std::sqrt(variance); }
};

// Objects of one bucket: all that were allocated, and those still in use.
inline Estimate estimate_allocated_objects(const Bucket& bucket) {
  const double n = static_cast<double>(bucket.allocs);
  return {n * sample_weight(bucket.allocated_bytes, bucket.period),
          n * sample_variance(bucket.allocated_bytes, bucket.period)};
}
inline Estimate estimate_live_objects(const Bucket& bucket) {
  const double n =
      static_cast<double>(bucket.allocs > bucket.frees ? bucket.allocs - bucket.frees : 0);
  return {n * sample_weight(bucket.allocated_bytes, bucket.period),
          n * sample_variance(bucket.allocated_bytes, bucket.period)};
}

// Requested bytes of one bucket, allocated since the start and still in use. No variance: the sizes
// of the single objects are not kept.
inline double estimate_allocated_bytes(const Bucket& bucket) {
  return static_cast<double>(bucket.alloc_requested) *
         sample_weight(bucket.allocated_bytes, bucket.period);
}
inline double estimate_live_bytes(const Bucket& bucket) {
  const uint64_t live = bucket.alloc_requested > bucket.free_requested
                            ? bucket.alloc_requested - bucket.free_requested
                            : 0;
  return static_cast<double>(live) * sample_weight(bucket.allocated_bytes, bucket.period);
}

}  // namespace liballoc::agent
