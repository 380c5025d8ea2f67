// ring_reader.h - takes the events of a segment's ring from a private position, in order, and
// counts exactly what was overwritten before it could be read.
//
// Invariant: after each drain, events delivered + missed() == position(). Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/reader/byte_source.h"
#include "agent/reader/layout.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {

class RingReader {
 public:
  // Starts at event 0: what the ring had lost before the agent came counts as missed.
  explicit RingReader(uint64_t max_events_per_drain = limits::kMaxEventsPerDrain)
      : max_events_(max_events_per_drain) {}

  // Appends at most max_events_per_drain events. True when the position has reached the head of
  // `layout`.
  ReadResult<bool> drain(const ByteSource& source, const Layout& layout,
                         std::vector<Event>& events);

  uint64_t position() const { return position_; }
  uint64_t missed() const { return missed_; }
  uint64_t corrupt() const {
    return corrupt_;
  }  // part of missed(): slots with a sequence that cannot be, and heads
     // that ran backwards (these are not missed events)

 private:
  // Where events lie: event n, if it is still there, in slot (n - start) mod records.
  struct Round {
    uint64_t start;    // no event before it is still there
    uint64_t records;  // not 0
    bool operator==(const Round&) const = default;
  };
  static ReadResult<Round> fetch_round(const ByteSource& source, const Extent& ring);
  ReadResult<void> take(const ByteSource& source, const Extent& ring, const Round& round,
                        uint64_t count, const Layout& layout, std::vector<Event>& events);

  const uint64_t max_events_;
  uint64_t position_ = 0;
  uint64_t missed_ = 0;
  uint64_t corrupt_ = 0;
};

}  // namespace liballoc::agent
