// ring_reader.cc - see ring_reader.h. Must never read a slot that is not in the ring, or wait for
// the writer.
#include "agent/reader/ring_reader.h"

#include <algorithm>
#include <cstring>

#include "agent/reader/counter_math.h"
#include "agent/reader/table.h"
#include "agent/reader/wall_clock.h"

namespace liballoc::agent {

ReadResult<bool> RingReader::drain(const ByteSource& source, const Layout& layout,
                                   std::vector<Event>& events) {
  const Section& section = layout.section(LIBALLOC_SECTION_RING);
  if (section.extents.empty()) return true;
  const Extent& ring = section.extents.front();
  const uint64_t head = ring.count;
  if (head < position_) {
    ++corrupt_;  // the count of events written ran backwards; wait until it is past our position
                 // again
    return true;
  }
  const uint64_t oldest = saturating_sub(head, ring.capacity);
  if (position_ < oldest) {
    missed_ += oldest - position_;
    position_ = oldest;
  }
  uint64_t left = std::min(head - position_, max_events_);
  while (left > 0) {
    // Up to the end of the buffer, and at most a chunk: the shorter the copy, the less is
    // overwritten meanwhile.
    const uint64_t slot = position_ % ring.capacity;
    const uint64_t n = std::min(
        {left, ring.capacity - slot, uint64_t{limits::kChunkBytes / sizeof(liballoc_abi_record)}});
    if (auto taken = take(source, ring, n, layout, events); !taken) {
      return failure(taken.error());
    }
    left -= n;
  }
  return position_ == head;
}

ReadResult<void> RingReader::take(const ByteSource& source, const Extent& ring, uint64_t count,
                                  const Layout& layout, std::vector<Event>& events) {
  std::vector<liballoc_abi_record> first(count);
  std::vector<liballoc_abi_record> second(count);
  const uint64_t slot = position_ % ring.capacity;
  if (auto read = read_records<liballoc_abi_record>(source, ring, slot, first); !read) return read;
  if (auto read = read_records<liballoc_abi_record>(source, ring, slot, second); !read) return read;
  const WallClock clock(layout.header);
  for (uint64_t i = 0; i < count; ++i) {
    const liballoc_abi_record& r = first[i];
    const uint64_t stamp = position_ + i + 1;
    if (r.sequence != stamp || std::memcmp(&r, &second[i], sizeof(r)) != 0) {
      ++missed_;
      // Overwritten by a later round, or being overwritten now: all else cannot be.
      const bool later_round = r.sequence >= stamp && (r.sequence - stamp) % ring.capacity == 0;
      if (r.sequence != 0 && !later_round) ++corrupt_;
      continue;
    }
    events.push_back(
        {stamp - 1, clock.to_unix_ns(r.time_ns), r.kind, r.tid, r.a, r.b, r.c, r.d, r.e});
  }
  position_ += count;
  return {};
}

}  // namespace liballoc::agent
