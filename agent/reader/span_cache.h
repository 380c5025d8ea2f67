// span_cache.h - the span table of one segment, read again and again at the price of what changed.
//
// A record's sequence never starts over, so a fetched record that is byte for byte the one that was
// found whole before is that one: it needs no second fetch and no decoding. Only blocks of records
// that differ are settled as in table.h; while none does, every reading gives the same list. Must
// never take a record for whole because its sequence alone is the same: `allocated` also changes
// without it.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/model/shared_list.h"
#include "agent/model/snapshot.h"
#include "agent/reader/byte_source.h"
#include "agent/reader/layout.h"
#include "agent/reader/wall_clock.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

class SpanCache {
 public:
  // The spans now. `writer_alive` false: what is torn stays torn.
  ReadResult<SharedList<Span>> read(const ByteSource& source, const Section& section,
                                    const WallClock& clock, bool writer_alive, ReadHealth& health);

  // Blocks of records settled by a second fetch, ever: what changes cost.
  uint64_t blocks_settled() const { return blocks_settled_; }

 private:
  // Records [first, first + n) of an extent into settled_[number, number + n).
  ReadResult<void> fetch(const ByteSource& source, const Extent& extent, uint64_t first, size_t n,
                         uint64_t number, int& budget);

  std::vector<liballoc_abi_span> settled_;  // by record number; all zero where torn
  std::vector<liballoc_abi_span> fetched_;  // a chunk; kept for its memory
  bool changed_ = true;                     // settled_ is not what spans_ was made of
  uint64_t torn_ = 0;                       // in the reading under way
  uint64_t corrupt_ = 0;                    // in spans_: left out because they cannot be
  WallClock clock_;                         // that the times of spans_ were made with
  SharedList<Span> spans_;
  uint64_t blocks_settled_ = 0;
};

}  // namespace liballoc::agent
