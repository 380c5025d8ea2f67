// reading_oracle.h - what must hold of any reading of a segment, whatever its bytes were; and the
// valid segment that tests and fuzzers damage. Must never call the code that it judges.
#pragma once

#include <string>

#include "agent/base/text.h"
#include "agent/reader/segment_reader.h"
#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {

// One of everything, several of most.
inline SegmentBuilder full_builder() {
  SegmentBuilder b;
  b.threads.resize(3);
  b.memstats.next_trigger = 5 << 20;
  b.memstats.peak_generation = 4;
  b.memstats.peak_profile_inuse = 4 << 20;
  b.memstats.peak_profile_ns = SegmentBuilder::kCreatedMonotonicNs + 100;
  for (uint32_t i = 0; i < 20; ++i) {
    const uint32_t stack = b.add_stack({0x1000 + i, 0x2000 + i, 0x3000});
    const uint32_t bucket = b.add_bucket(stack, 1 + i, 64, 3, 190, 1, 60);
    b.add_sample(0x100000 + 64 * i, 60, 64, stack, bucket);
    if (i % 4 == 0) {
      b.buckets.back().label_set = b.samples.back().label_set =
          b.add_label_set({{"endpoint", "/" + std::to_string(i)}, {"tenant", "acme"}});
    }
    b.add_span(0x400000 + 8192 * i, 1, LIBALLOC_SPAN_PARTIAL, 3, 2);
    b.push_event(LIBALLOC_EVENT_SPAN_ALLOC, i);
    b.set_mallocs(i % 3, i, 1000 + i);
    b.peaks.push_back({{4, 3}, {2, 1}, {130, 60}, {0, 0}});
  }
  b.add_module(0x400000, 0x500000, "/usr/bin/demo", {1, 2, 3, 4});
  b.add_fault(1, 0xbad, "bad free");
  return b;
}

// "" or what is wrong. `segment_bytes`: size of the file, which bounds what can be in it.
inline std::string problem_of(const SegmentReading& reading, uint64_t segment_bytes) {
  const Snapshot& s = reading.snapshot;
  if (s.spans.size() > segment_bytes / sizeof(liballoc_abi_span)) return "more spans than fit";
  if (s.modules.size() > segment_bytes / sizeof(liballoc_abi_module)) return "too many modules";
  if (s.faults.size() > segment_bytes / sizeof(liballoc_abi_fault)) return "too many faults";
  // One stack stands for all that are unknown.
  if (s.stacks.size() > segment_bytes / sizeof(liballoc_abi_stack) + 1) return "too many stacks";
  uint64_t frames = 0;
  for (const Stack& stack : s.stacks) frames += stack.pcs.size();
  if (frames > segment_bytes / sizeof(liballoc_abi_frame)) return "frames were multiplied";
  if (s.label_sets.size() > segment_bytes / sizeof(liballoc_abi_label_set) + 1) {
    return "more label sets than fit";
  }
  for (const LabelSet& set : s.label_sets) {
    if (set.size() > LIBALLOC_ABI_LABELS_PER_SET) return "a label set of too many";
    for (size_t i = 0; i < set.size(); ++i) {
      if (set[i].first.empty()) return "a label without a key";
      if (!is_valid_utf8(set[i].first + set[i].second)) return "a label that is no UTF-8";
      if (i != 0 && set[i - 1].first >= set[i].first) return "labels out of order, or twice";
    }
  }
  for (const Bucket& bucket : s.buckets) {
    if (bucket.label_set >= s.label_sets.size()) return "bucket without its labels";
    if (bucket.stack >= s.stacks.size()) return "bucket without its stack";
    if (bucket.cache_class >= LIBALLOC_ABI_CACHE_CLASSES) return "bucket of no class";
    if (bucket.frees > bucket.allocs) return "more sampled frees than allocations";
    if (bucket.free_requested > bucket.alloc_requested) return "more bytes freed than allocated";
  }
  if (s.peak.buckets.size() > s.buckets.size()) return "peak of unknown buckets";
  for (const LiveSample& sample : s.live_samples) {
    if (sample.stack >= s.stacks.size()) return "sample without its stack";
    if (sample.label_set >= s.label_sets.size()) return "sample without its labels";
    if (sample.bucket >= s.buckets.size()) return "sample without its bucket";
  }
  for (const Span& span : s.spans) {
    if (span.size_class >= LIBALLOC_ABI_SIZE_CLASSES) return "span of no class";
    if (span.state > LIBALLOC_SPAN_PAGE_CACHED) return "span in no state";
  }
  if (s.memstats.by_size.size() != LIBALLOC_ABI_SIZE_CLASSES) return "size classes are missing";
  for (const SizeClassStats& c : s.memstats.by_size) {
    if (c.frees > c.mallocs) return "more frees than mallocs";
  }
  if (s.memstats.heap_released > s.memstats.heap_idle) return "more released than idle";
  const ProcessIdentity& id = s.identity;
  for (const std::string* text :
       {&id.executable, &id.service, &id.cgroup, &id.hostname, &id.liballoc_version}) {
    if (!is_valid_utf8(*text)) return "a string that is no UTF-8";
  }
  for (const std::string& word : id.command_line) {
    if (!is_valid_utf8(word)) return "a word of the command line that is no UTF-8";
  }
  for (const Module& module : s.modules) {
    if (!is_valid_utf8(module.path)) return "a path that is no UTF-8";
  }
  for (const Fault& fault : s.faults) {
    if (!is_valid_utf8(fault.message)) return "a fault's message that is no UTF-8";
  }
  return "";
}

}  // namespace liballoc::agent
