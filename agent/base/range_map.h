// range_map.h - address -> value for ranges that may nest or overlap: built once, then a binary
// search.
//
// Where ranges overlap, the one with the higher priority wins, among equals the one added later.
// Building is O(n log n) whatever the ranges are, so ranges may come from files and processes that
// are not trusted. Immutable after build(), hence safe to read from any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace liballoc::agent {

class RangeMap {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Range {
    uint64_t start = 0;  // first address
    uint64_t end = 0;    // one past the last; a range with end <= start is ignored
    uint64_t priority = 0;
    uint32_t value = kNone;
  };

  RangeMap() = default;

  [[nodiscard]] static RangeMap build(const std::vector<Range>& ranges) {
    struct Edge {
      uint64_t address;
      uint32_t range;
      bool opens;
    };
    std::vector<Edge> edges;
    edges.reserve(2 * ranges.size());
    for (uint32_t i = 0; i < ranges.size(); ++i) {
      if (ranges[i].end <= ranges[i].start) continue;
      edges.push_back({ranges[i].start, i, true});
      edges.push_back({ranges[i].end, i, false});
    }
    std::sort(edges.begin(), edges.end(),
              [](const Edge& a, const Edge& b) { return a.address < b.address; });
    RangeMap map;
    std::set<std::pair<uint64_t, uint32_t>> active;  // (priority, range): the last one wins
    for (size_t i = 0; i < edges.size();) {
      const uint64_t address = edges[i].address;
      for (; i < edges.size() && edges[i].address == address; ++i) {
        const std::pair<uint64_t, uint32_t> key(ranges[edges[i].range].priority, edges[i].range);
        if (edges[i].opens) {
          active.insert(key);
        } else {
          active.erase(key);
        }
      }
      const uint32_t value = active.empty() ? kNone : ranges[active.rbegin()->second].value;
      if (map.pieces_.empty() || map.pieces_.back().value != value) {
        map.pieces_.push_back({address, value});
      }
    }
    map.pieces_.shrink_to_fit();
    return map;
  }

  // The value at `address`, kNone where no range covers it.
  [[nodiscard]] uint32_t find(uint64_t address) const {
    auto it = std::upper_bound(pieces_.begin(), pieces_.end(), address,
                               [](uint64_t a, const Piece& p) { return a < p.start; });
    return it == pieces_.begin() ? kNone : std::prev(it)->value;
  }

  [[nodiscard]] bool empty() const { return pieces_.empty(); }
  [[nodiscard]] size_t memory_bytes() const { return pieces_.capacity() * sizeof(Piece); }

 private:
  struct Piece {
    uint64_t start;  // until the next piece's start
    uint32_t value;
  };
  std::vector<Piece> pieces_;
};

}  // namespace liballoc::agent
