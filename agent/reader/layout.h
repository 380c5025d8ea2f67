// layout.h - where everything in a segment is: its header and directory, copied once and checked,
// and nothing else.
//
// After read_layout() has succeeded, every extent lies inside valid_bytes, overlaps no other, and
// has a stride and a count that the limits allow. Only the copy is used from then on.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "agent/reader/byte_source.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

struct Extent {
  uint64_t offset = 0;
  uint32_t stride = 0;
  uint32_t capacity = 0;
  uint64_t count = 0;         // <= capacity, but for the ring: records ever written
  uint64_t first_record = 0;  // number of its first record within the section
  uint64_t entry_offset = 0;  // of its directory entry in the file
};

struct Section {
  std::vector<Extent> extents;
  uint64_t records = 0;  // one more than the highest record number in use
  uint64_t dropped = 0;
};

inline constexpr uint32_t kSectionKinds = LIBALLOC_SECTION_LABEL_SETS + 1;

struct Layout {
  liballoc_abi_header header{};
  std::array<Section, kSectionKinds> sections;  // by enum liballoc_abi_kind

  const Section& section(liballoc_abi_kind kind) const { return sections[kind]; }
};

// Fetches again, a bounded number of times, where an extent seems to end behind valid_bytes: the
// writer may be adding it.
ReadResult<Layout> read_layout(const ByteSource& source);

}  // namespace liballoc::agent
