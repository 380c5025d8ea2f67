// size_class_table.h - what each size class of a snapshot holds, and what it wastes.
//
// A pure function. What the segment knows exactly is exact; what rests on samples is called an
// estimate and is absent where there are none.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct SizeClassFigures {
  uint32_t size_class = 0;
  uint64_t spans = 0, partial_spans = 0, full_spans = 0, cached_spans = 0;
  uint64_t span_bytes = 0;
  uint64_t slots = 0;
  uint64_t live_objects = 0;
  uint64_t cached_slots = 0;  // handed to threads but not live: in a cache, or freed and not swept
  uint64_t free_slots = 0;
  double occupancy = 0;           // live objects of all slots
  uint64_t tail_waste_bytes = 0;  // of spans whose pages the slots do not fill
  // Bytes of live objects beyond what was asked for; nothing when no live object is sampled.
  std::optional<uint64_t> rounding_waste_bytes_estimate;
  uint64_t samples = 0;  // live ones, on which it rests
};

// One entry per class, in order; the class's constants are in snapshot.memstats.by_size.
std::vector<SizeClassFigures> size_class_figures(const Snapshot& snapshot);

}  // namespace liballoc::agent
