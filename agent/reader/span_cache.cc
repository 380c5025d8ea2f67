// span_cache.cc - see span_cache.h. Must never keep more memory than the spans it shows justify.
#include "agent/reader/span_cache.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "agent/reader/counter_math.h"
#include "agent/reader/decode.h"
#include "agent/reader/limits.h"
#include "agent/reader/table.h"

namespace liballoc::agent {
namespace {

using Record = liballoc_abi_span;

constexpr size_t kChunk = limits::kChunkBytes / sizeof(Record);
constexpr size_t kBlock = 4096 / sizeof(Record);  // compared and settled as one

// A sparse file can claim any number of records for nothing. Raw records are kept from reading to
// reading only where most of them are spans, or there are few.
constexpr size_t kAlwaysKept = 16384;  // 1 MiB
constexpr size_t kMinShareInUse = 4;   // a quarter

}  // namespace

ReadResult<void> SpanCache::fetch(const ByteSource& source, const Extent& extent, uint64_t first,
                                  size_t n, uint64_t number, int& budget) {
  fetched_.resize(n);
  const std::span<Record> now(fetched_);
  const std::span<Record> before = std::span<Record>(settled_).subspan(number, n);
  if (auto read = read_records<Record>(source, extent, first, now); !read) return read;
  const auto differs = [&](size_t block, size_t records) {
    return std::memcmp(&now[block], &before[block], records * sizeof(Record)) != 0;
  };
  for (size_t begin = 0; begin < n;) {
    size_t end = std::min(begin + kBlock, n);
    if (!differs(begin, end - begin)) {
      begin = end;
      continue;
    }
    while (end < n && differs(end, std::min(kBlock, n - end))) end = std::min(end + kBlock, n);
    const std::span<Record> part = now.subspan(begin, end - begin);
    const auto torn = settle_records<Record>(source, extent, first + begin, part, budget);
    if (!torn) return failure(torn.error());
    std::copy(part.begin(), part.end(), before.begin() + static_cast<std::ptrdiff_t>(begin));
    torn_ += *torn;
    changed_ = true;
    blocks_settled_ += (end - begin + kBlock - 1) / kBlock;
    begin = end;
  }
  return {};
}

ReadResult<SharedList<Span>> SpanCache::read(const ByteSource& source, const Section& section,
                                             const WallClock& clock, bool writer_alive,
                                             ReadHealth& health) {
  const uint64_t records = std::min(section.records, limits::kMaxSpans);
  changed_ = changed_ || settled_.size() != records || clock != clock_;
  settled_.resize(records);
  torn_ = 0;
  int budget = writer_alive ? limits::kTornRetryBudget : 0;
  for (const Extent& extent : section.extents) {
    if (extent.first_record >= records) break;
    const uint64_t present = std::min(extent.count, records - extent.first_record);
    for (uint64_t first = 0; first < present;) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(kChunk, present - first));
      const auto read = fetch(source, extent, first, n, extent.first_record + first, budget);
      if (!read) {
        changed_ = true;  // part of settled_ may be newer than spans_
        return failure(read.error());
      }
      first += n;
    }
  }
  if (changed_) {
    ReadHealth decoding;
    spans_ = SharedList<Span>(decode_spans(settled_, clock, decoding));
    corrupt_ = decoding.corrupt_records;
    clock_ = clock;
    changed_ = false;
  }
  if (settled_.size() > kAlwaysKept && spans_.size() < settled_.size() / kMinShareInUse) {
    settled_ = {};
    changed_ = true;
  }
  health.torn_records += torn_;
  health.corrupt_records += corrupt_;
  health.dropped_records = saturating_add(health.dropped_records, section.dropped);
  health.dropped_records =
      saturating_add(health.dropped_records, section.records - std::min(section.records, records));
  return spans_;
}

}  // namespace liballoc::agent
