// lanes.h - into how many parts the state is divided that threads write whenever they sample: each thread keeps to the lane of its
// number, so that two threads mostly write to different cache lines, and hold different locks. Nothing but time may depend on who
// uses which lane.
#pragma once

#include <cstdint>

namespace liballoc {

// More serve more processors at once; each costs memory only once a thread has sampled in it.
inline constexpr uint32_t kLanes = 8;

}  // namespace liballoc
