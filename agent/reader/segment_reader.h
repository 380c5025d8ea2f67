// segment_reader.h - one segment, read again and again: bytes in, one whole Snapshot out.
//
// Tables are fetched in the order in which they refer to each other (ring and samples, buckets,
// stacks and label sets, frames and labels), with the directory fetched again before each, so that a reference always finds
// what the writer had written before it. Keeps per process what must go on between reads: counters
// that never run backwards, the ring position, the last whole memstats. Never throws on foreign
// bytes, never keeps the source. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/reader/byte_source.h"
#include "agent/reader/layout.h"
#include "agent/reader/memstats_builder.h"
#include "agent/reader/ring_reader.h"
#include "agent/reader/segment_name.h"
#include "agent/reader/span_cache.h"
#include "agent/reader/wall_clock.h"

namespace liballoc::agent {

struct SegmentReading {
  Snapshot snapshot;          // state kRunning and no exit time: liveness is not in the bytes
  std::vector<Event> events;  // new since the last reading
  bool ring_drained = true;   // false: more events wait for the next reading
  uint64_t exit_state = LIBALLOC_EXIT_NONE;
  int64_t exit_time_unix_ns = 0;    // when the process said that it ends
  int64_t last_update_unix_ns = 0;  // when it last wrote its memstats
};

class SegmentReader {
 public:
  // The name must agree with what the header says.
  explicit SegmentReader(SegmentName name) : name_(name), key_(name.text()) {}

  const std::string& key() const { return key_; }
  // For a segment whose name now belongs to a newer one.
  void set_key(std::string key) { key_ = std::move(key); }

  // `writer_alive` false: the process has ended, nothing changes any more, what is torn stays torn.
  ReadResult<SegmentReading> read(const ByteSource& source, bool writer_alive, int64_t now_unix_ns);

 private:
  ReadResult<Layout> load_layout(const ByteSource& source) const;
  ReadResult<liballoc_abi_memstats> load_memstats(const ByteSource& source, const Layout& layout,
                                                  bool writer_alive, ReadHealth& health);
  ReadResult<PeakProfile> load_peak(const ByteSource& source, const Layout& layout,
                                    liballoc_abi_memstats memstats, bool writer_alive,
                                    const WallClock& clock, ReadHealth& health);

  const SegmentName name_;
  std::string key_;
  uint64_t epoch_ = 0;
  MemStatsBuilder memstats_;
  SpanCache spans_;
  RingReader ring_;
  uint64_t missed_at_first_ = 0;  // by ring_, when the first reading ended
  std::vector<Event> pending_events_;  // drained, not yet handed out
  std::optional<liballoc_abi_memstats> last_memstats_;
  PeakProfile last_peak_;  // the last whole one
};

}  // namespace liballoc::agent
