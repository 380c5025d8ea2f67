// janitor.h - removes the segments that dead processes of our user left behind, so that they never
// pile up even where no agent runs. Keeps the last evidence: the newest dead ones, and young ones.
// Bounded work, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

struct JanitorLimits {
  unsigned max_entries = 256;  // directory entries looked at
  unsigned keep_newest = 16;   // dead segments that stay whatever their age
  unsigned keep_at_most = 64;  // dead segments that stay, however young: 64 of them are 6 MiB or more
  uint64_t keep_younger_than_ns = uint64_t{15} * 60 * 1000000000;
};

// Whether a process that starts now is one that cleans: one in kStartsPerCleaning, by chance. A look at 64 dead segments costs
// more than all else that a start does, and it makes no difference when some more of them wait for the next who looks.
inline constexpr unsigned kStartsPerCleaning = 16;
constexpr bool is_janitor(uint64_t now_realtime_ns, uint32_t pid) {
  return ((now_realtime_ns ^ pid) * 0x9e3779b97f4a7c15u >> 32) % kStartsPerCleaning == 0;
}

inline constexpr size_t kJanitorScratchBytes = 64 * 1024;

// Removes what is a segment by name, a regular file of ours, locked by nobody, and not among the
// newest: either older than the limit, or one too many. `scratch` has kJanitorScratchBytes. Returns how many were removed.
unsigned remove_dead_segments(const char* dir, uint64_t now_realtime_ns,
                              const JanitorLimits& limits, char* scratch);

}  // namespace liballoc
