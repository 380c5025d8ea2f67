// decode.h - from private copies of records to the values of a Snapshot. No I/O: the bytes are
// already ours, but what they say is not yet believed.
//
// Indices stay what the writer made them: stacks[i] is stack record i and buckets[i] is bucket
// record i, so a record that cannot be believed leaves an empty entry behind and is counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/reader/wall_clock.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

ProcessIdentity decode_identity(const liballoc_abi_header& header,
                                const liballoc_abi_identity& identity);

// Span records that are DEAD are left out.
std::vector<Span> decode_spans(const std::vector<liballoc_abi_span>& records,
                               const WallClock& clock, ReadHealth& health);

std::vector<Module> decode_modules(const std::vector<liballoc_abi_module>& records,
                                   const WallClock& clock, ReadHealth& health);

// `stack_count`: records of the stacks section, whose numbers are the indexes into Snapshot::stacks.
std::vector<Fault> decode_faults(const std::vector<liballoc_abi_fault>& records, size_t stack_count,
                                 const WallClock& clock);

// [0] is the empty set, [i] record i - 1, so that a reference "number + 1" is an index. A set of which
// a part cannot be believed is empty.
std::vector<LabelSet> decode_label_sets(const std::vector<liballoc_abi_label_set>& sets,
                                        const std::vector<liballoc_abi_label>& labels,
                                        ReadHealth& health);

struct DecodedProfile {
  std::vector<Stack> stacks;
  std::vector<Bucket> buckets;
  std::vector<LiveSample> live_samples;
};

// `label_set_count`: of decode_label_sets(). A reference to none of them becomes the empty set.

// A bucket or sample without a known stack refers to an empty stack that is appended to `stacks`. A
// sample without a bucket (the writer had no room for one) is left out and counted as dropped.
DecodedProfile decode_profile(const std::vector<liballoc_abi_stack>& stacks,
                              const std::vector<liballoc_abi_frame>& frames,
                              const std::vector<liballoc_abi_bucket>& buckets,
                              const std::vector<liballoc_abi_sample>& samples,
                              size_t label_set_count, const WallClock& clock,
                              ReadHealth& health);

}  // namespace liballoc::agent
