// heap_samples.h - the buckets of one or two snapshots, summed by the stack of the caller, the object
// size and the labels of the thread.
//
// Frames of the allocator at the leaf are taken off, so stacks that differ only in the allocator's
// own path are one. Values are estimates of the whole (profile_math.h), added up as doubles and
// rounded once, by the reader.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/pprof/pc_table.h"

namespace liballoc::agent {

class HeapSamples {
 public:
  enum Column { kAllocObjects, kAllocSpace, kInuseObjects, kInuseSpace, kColumns };
  using Values = std::array<double, kColumns>;

  struct Sample {
    uint32_t trace = 0;         // index for trace()
    uint64_t object_bytes = 0;  // allocated bytes of each object
    uint32_t label_set = 0;     // index for label_set()
    Values values{};
  };

  explicit HeapSamples(PcTable& pcs) : pcs_(pcs) {}

  // Adds `sign` (1 or -1) times the estimates of `snapshot`.
  void add(const Snapshot& snapshot, double sign);

  [[nodiscard]] const std::vector<Sample>& samples() const { return samples_; }
  // Indices into the PcTable, leaf first. Empty only when the stack itself was.
  [[nodiscard]] const std::vector<uint32_t>& trace(uint32_t index) const { return *traces_[index]; }
  [[nodiscard]] const LabelSet& label_set(uint32_t index) const { return *label_sets_[index]; }

 private:
  using SampleKey = std::tuple<uint32_t, uint64_t, uint32_t>;  // trace, object_bytes, label_set

  uint32_t intern_trace(const Stack& stack);
  uint32_t intern_label_set(const Snapshot& snapshot, uint32_t index);

  PcTable& pcs_;
  std::map<std::vector<uint32_t>, uint32_t> trace_index_;
  std::vector<const std::vector<uint32_t>*> traces_;  // keys of trace_index_
  std::map<LabelSet, uint32_t> label_set_index_;
  std::vector<const LabelSet*> label_sets_;  // keys of label_set_index_
  std::map<SampleKey, size_t> sample_index_;
  std::vector<Sample> samples_;
};

// Nearest integer, saturated to the range of int64_t.
[[nodiscard]] int64_t round_estimate(double value);

}  // namespace liballoc::agent
