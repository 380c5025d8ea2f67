// span_query.h - the questions that are asked about the spans of a snapshot: which ones, in what
// order, how full.
//
// Pure functions. A span's figures are the process's word: every sum here is of 64 bits and every
// end of a range is clamped, so no snapshot can make one wrap.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct SpanFilter {
  uint32_t states = 0;                 // a bit per liballoc_abi_span_state; 0 = all
  std::vector<uint32_t> object_bytes;  // slot sizes, 0 = large objects; empty = all
  double min_occupancy = 0;
  double max_occupancy = 1;
  int64_t min_age_ns = 0;  // unchanged for so long at the time of the snapshot
};

// "free", "partial" and so on; "unknown" for a number that is no state.
std::string_view span_state_name(uint8_t state);

// Whether it holds slots of a size class: partial, full or cached.
bool has_slots(const Span& span);

// The part of it that is handed out, from 0 to 1: 1 for a large object, 0 for a free span.
double occupancy(const Span& span);

uint64_t span_bytes(const Snapshot& snapshot, const Span& span);

bool matches(const SpanFilter& filter, const Span& span, int64_t read_unix_ns);

// In the order of their addresses, none overlapping another: where the table seemed to say so,
// because a split or merge happened while it was read, the one that changed last. The pointers live
// as long as the snapshot.
std::vector<const Span*> spans_by_address(const Snapshot& snapshot);

// Number of the size class with slots of this size; nothing when there is none. 0 gives class 0.
std::optional<uint32_t> class_of_object_bytes(const Snapshot& snapshot, uint32_t object_bytes);

// Slot size of a class; 0 for class 0 and for numbers that are no class.
uint32_t object_bytes_of_class(const Snapshot& snapshot, uint64_t size_class);

}  // namespace liballoc::agent
