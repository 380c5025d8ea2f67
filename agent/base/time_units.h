// time_units.h - how the agent's units of time relate. Must never read a clock.
#pragma once

#include <cstdint>

namespace liballoc::agent {

inline constexpr int64_t kNsPerSecond = 1000000000;

// Any kernel structure of seconds and nanoseconds: timespec, statx_timestamp.
template <typename Time>
constexpr int64_t ns_of(const Time& time) {
  return int64_t{time.tv_sec} * kNsPerSecond + int64_t{time.tv_nsec};
}

}  // namespace liballoc::agent
