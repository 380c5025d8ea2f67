// ring_reader.cc - see ring_reader.h. Must never read a slot that is not in the ring, or wait for
// the writer.
#include "agent/reader/ring_reader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>

#include "agent/reader/counter_math.h"
#include "agent/reader/table.h"
#include "agent/reader/wall_clock.h"

namespace liballoc::agent {

// To be fetched after the count of events: an event that this count covers lies where a round that
// was fetched later says, or where no event lies any more that it covers.
ReadResult<RingReader::Round> RingReader::fetch_round(const ByteSource& source,
                                                      const Extent& ring) {
  std::array<uint8_t, sizeof(uint64_t)> bytes;
  const uint64_t at = ring.entry_offset + offsetof(liballoc_abi_section, ring_round);
  if (const auto read = source.read_at(at, bytes); !read) return failure(read.error());
  const uint64_t word = *BytesView(bytes).load<uint64_t>(0);
  if (word == 0) return Round{0, ring.capacity};  // of a minor that does not know it
  const Round round{word >> 16, word & 0xffff};
  if (round.records == 0 || round.records > ring.capacity) {
    return reject(Reject::kBadCount, "a ring's round has " + std::to_string(round.records) +
                                         " records of " + std::to_string(ring.capacity));
  }
  return round;
}

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
  const auto round = fetch_round(source, ring);
  if (!round) return failure(round.error());
  const uint64_t oldest =
      std::min(head, std::max(saturating_sub(head, round->records), round->start));
  if (position_ < oldest) {
    missed_ += oldest - position_;
    position_ = oldest;
  }
  uint64_t left = std::min(head - position_, max_events_);
  while (left > 0) {
    // Up to the end of the round, and at most a chunk: the shorter the copy, the less is
    // overwritten meanwhile.
    const uint64_t slot = (position_ - round->start) % round->records;
    const uint64_t n = std::min(
        {left, round->records - slot, uint64_t{limits::kChunkBytes / sizeof(liballoc_abi_record)}});
    if (auto taken = take(source, ring, *round, n, layout, events); !taken) {
      return failure(taken.error());
    }
    left -= n;
  }
  return position_ == head;
}

ReadResult<void> RingReader::take(const ByteSource& source, const Extent& ring, const Round& round,
                                  uint64_t count, const Layout& layout,
                                  std::vector<Event>& events) {
  const uint64_t slot = (position_ - round.start) % round.records;
  std::vector<liballoc_abi_record> first(count);
  std::vector<liballoc_abi_record> second(count);
  if (auto read = read_records<liballoc_abi_record>(source, ring, slot, first); !read) return read;
  if (auto read = read_records<liballoc_abi_record>(source, ring, slot, second); !read) return read;
  std::optional<Round> now;  // fetched after both copies, if it is wanted
  const WallClock clock(layout.header);
  for (uint64_t i = 0; i < count; ++i) {
    const liballoc_abi_record& r = first[i];
    const uint64_t stamp = position_ + i + 1;
    if (r.sequence != stamp || std::memcmp(&r, &second[i], sizeof(r)) != 0) {
      ++missed_;
      // Overwritten by a later round, or being overwritten now: all else cannot be, unless the ring has
      // grown meanwhile. Then the later event may be any, and its round is there to be fetched.
      if (r.sequence == 0) continue;
      const bool later = r.sequence >= stamp;
      if (later && (r.sequence - stamp) % round.records == 0) continue;
      if (later && !now) {
        const auto fetched = fetch_round(source, ring);
        if (!fetched) return failure(fetched.error());
        now = *fetched;
      }
      if (!later || *now == round) ++corrupt_;
      continue;
    }
    events.push_back(
        {stamp - 1, clock.to_unix_ns(r.time_ns), r.kind, r.tid, r.a, r.b, r.c, r.d, r.e});
  }
  position_ += count;
  return {};
}

}  // namespace liballoc::agent
