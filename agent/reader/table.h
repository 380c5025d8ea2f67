// table.h - copies the records of one section into private memory, whole and bounded.
//
// Record numbers are kept: table[i] is record i of the section. A record that does not exist, or
// that was caught while being written, is all zero, which every record type of the format defines
// as absent.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "agent/reader/byte_source.h"
#include "agent/reader/layout.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {

template <typename T>
struct Table {
  std::vector<T> records;
  uint64_t dropped = 0;  // by the writer, and by our cap
  uint64_t torn = 0;
};

// Copies `out.size()` records from record `first` of an extent; `first` and the size must lie
// inside its capacity.
template <typename T>
ReadResult<void> read_records(const ByteSource& source, const Extent& extent, uint64_t first,
                              std::span<T> out) {
  static_assert(std::is_trivially_copyable_v<T>);
  const auto bytes_of = [](std::span<T> records) {
    return std::span<uint8_t>(reinterpret_cast<uint8_t*>(records.data()), records.size_bytes());
  };
  if (extent.stride == sizeof(T)) {
    return source.read_at(extent.offset + first * extent.stride, bytes_of(out));
  }
  // A newer minor with longer records: fetch them raw, keep the part that is known.
  const size_t per_chunk = std::max<size_t>(1, limits::kChunkBytes / extent.stride);
  std::vector<uint8_t> raw;
  for (size_t done = 0; done < out.size();) {
    const size_t n = std::min(per_chunk, out.size() - done);
    raw.resize(n * extent.stride);
    const auto read = source.read_at(extent.offset + (first + done) * extent.stride, raw);
    if (!read) return read;
    for (size_t i = 0; i < n; ++i) out[done + i] = *BytesView(raw).load<T>(i * extent.stride);
    done += n;
  }
  return {};
}

// Records that carry a sequence word at offset 0: a copy counts only if it is even and a second
// fetch, begun after the first had ended, gives the same bytes. The others are fetched again,
// within `budget`; what stays torn becomes zero.
template <typename T>
ReadResult<uint64_t> settle_records(const ByteSource& source, const Extent& extent, uint64_t first,
                                    std::span<T> copy, int& budget) {
  std::vector<T> second(copy.size());
  if (auto read = read_records<T>(source, extent, first, second); !read) {
    return failure(read.error());
  }
  const auto whole = [](const T& a, const T& b) {
    return a.sequence % 2 == 0 && std::memcmp(&a, &b, sizeof(T)) == 0;
  };
  uint64_t torn = 0;
  for (size_t i = 0; i < copy.size(); ++i) {
    bool settled = whole(copy[i], second[i]);
    for (int tries = 0; !settled && tries < limits::kTornRetries && budget > 0; ++tries, --budget) {
      copy[i] = second[i];
      const auto read = read_records<T>(source, extent, first + i, std::span<T>(&second[i], 1));
      if (!read) return failure(read.error());
      settled = whole(copy[i], second[i]);
    }
    if (!settled) {
      copy[i] = T{};
      ++torn;
    }
  }
  return torn;
}

// `Sequenced`: the records have a sequence word. `writer_alive` false: nothing will change any
// more, so do not retry.
template <typename T, bool Sequenced>
ReadResult<Table<T>> read_table(const ByteSource& source, const Section& section,
                                uint64_t max_records, bool writer_alive = true) {
  Table<T> table;
  const uint64_t records = std::min(section.records, max_records);
  table.dropped = section.dropped;
  if (section.records > records) {
    const uint64_t cut = section.records - records;
    table.dropped = table.dropped > UINT64_MAX - cut ? UINT64_MAX : table.dropped + cut;
  }
  table.records.resize(records);
  int budget = writer_alive ? limits::kTornRetryBudget : 0;
  const size_t per_chunk = limits::kChunkBytes / sizeof(T);
  for (const Extent& extent : section.extents) {
    if (extent.first_record >= records) break;
    const uint64_t present = std::min(extent.count, records - extent.first_record);
    for (uint64_t first = 0; first < present;) {
      const size_t n = static_cast<size_t>(std::min<uint64_t>(per_chunk, present - first));
      const std::span<T> part = std::span<T>(table.records).subspan(extent.first_record + first, n);
      if (auto read = read_records<T>(source, extent, first, part); !read) {
        return failure(read.error());
      }
      if constexpr (Sequenced) {
        const auto torn = settle_records<T>(source, extent, first, part, budget);
        if (!torn) return failure(torn.error());
        table.torn += *torn;
      }
      first += n;
    }
  }
  return table;
}

}  // namespace liballoc::agent
