// heap_samples.cc - see heap_samples.h.
#include "agent/pprof/heap_samples.h"

#include <cmath>
#include <limits>

#include "agent/model/profile_math.h"

namespace liballoc::agent {

uint32_t HeapSamples::intern_trace(const Stack& stack) {
  std::vector<uint32_t> trace;
  trace.reserve(stack.pcs.size());
  bool in_allocator = true;
  for (size_t i = 0; i < stack.pcs.size(); ++i) {
    const uint32_t index = pcs_.intern(stack.pcs[i]);
    in_allocator = in_allocator && pcs_.at(index).allocator;
    // A stack of nothing but the allocator keeps its root: an empty stack says less than that.
    if (in_allocator && i + 1 < stack.pcs.size()) continue;
    trace.push_back(index);
  }
  const auto [it, added] =
      trace_index_.try_emplace(std::move(trace), static_cast<uint32_t>(traces_.size()));
  if (added) traces_.push_back(&it->first);
  return it->second;
}

// By what is in it: the two snapshots of a difference may number sets differently.
uint32_t HeapSamples::intern_label_set(const Snapshot& snapshot, uint32_t index) {
  const LabelSet none;
  const LabelSet& set = index < snapshot.label_sets.size() ? snapshot.label_sets[index] : none;
  const auto [it, added] =
      label_set_index_.try_emplace(set, static_cast<uint32_t>(label_sets_.size()));
  if (added) label_sets_.push_back(&it->first);
  return it->second;
}

void HeapSamples::add(const Snapshot& snapshot, double sign) {
  constexpr uint32_t kUnknown = UINT32_MAX;
  std::vector<uint32_t> trace_of_stack(snapshot.stacks.size(), kUnknown);
  const Stack no_stack;
  for (const Bucket& bucket : snapshot.buckets) {
    if (bucket.allocs == 0) continue;
    uint32_t trace = kUnknown;
    if (bucket.stack < snapshot.stacks.size()) {
      uint32_t& known = trace_of_stack[bucket.stack];
      if (known == kUnknown) known = intern_trace(snapshot.stacks[bucket.stack]);
      trace = known;
    } else {
      trace = intern_trace(no_stack);
    }
    const uint32_t labels = intern_label_set(snapshot, bucket.label_set);
    const auto [it, added] =
        sample_index_.try_emplace({trace, bucket.allocated_bytes, labels}, samples_.size());
    if (added) samples_.push_back({trace, bucket.allocated_bytes, labels, {}});
    Values& values = samples_[it->second].values;
    values[kAllocObjects] += sign * estimate_allocated_objects(bucket).value;
    values[kAllocSpace] += sign * estimate_allocated_bytes(bucket);
    values[kInuseObjects] += sign * estimate_live_objects(bucket).value;
    values[kInuseSpace] += sign * estimate_live_bytes(bucket);
  }
}

int64_t round_estimate(double value) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (std::isnan(value)) return 0;
  if (value >= kLimit) return std::numeric_limits<int64_t>::max();
  if (value <= -kLimit) return std::numeric_limits<int64_t>::min();
  return std::llround(value);
}

}  // namespace liballoc::agent
