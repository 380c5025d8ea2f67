// wall_clock.h - turns a process's CLOCK_MONOTONIC stamps into wall time. Never negative, never
// wraps.
#pragma once

#include <cstdint>
#include <limits>

#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

inline int64_t clamp_unix_ns(uint64_t ns) {
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(ns < kMax ? ns : kMax);
}

class WallClock {
 public:
  WallClock() = default;
  explicit WallClock(const liballoc_abi_header& header)
      : realtime_ns_(header.created_realtime_ns), monotonic_ns_(header.created_monotonic_ns) {}

  bool operator==(const WallClock&) const = default;

  // 0 stays 0: unknown.
  int64_t to_unix_ns(uint64_t monotonic_ns) const {
    if (monotonic_ns == 0) return 0;
    if (monotonic_ns >= monotonic_ns_) {
      const uint64_t later = monotonic_ns - monotonic_ns_;
      return later > UINT64_MAX - realtime_ns_ ? std::numeric_limits<int64_t>::max()
                                               : clamp_unix_ns(realtime_ns_ + later);
    }
    const uint64_t earlier = monotonic_ns_ - monotonic_ns;
    return realtime_ns_ > earlier ? clamp_unix_ns(realtime_ns_ - earlier) : 1;
  }

 private:
  uint64_t realtime_ns_ = 0;
  uint64_t monotonic_ns_ = 0;
};

}  // namespace liballoc::agent
