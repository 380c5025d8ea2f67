// event_messages.h - events of a process's ring as messages, and which of them a stream wants.
//
// Pure functions. Must never leave an event out because its kind is unknown: a filter decides.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <set>
#include <vector>

#include "agent/base/result.h"
#include "agent/model/snapshot.h"
#include "liballoc/telemetry/v1/events.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

struct EventFilter {
  std::set<uint32_t> kinds;            // empty = all
  std::vector<uint32_t> object_bytes;  // slot sizes, 0 = large objects; empty = all
};

// kInvalidArgument where a kind or, with a snapshot, a size cannot be. Null: sizes are not looked
// at.
Result<EventFilter> event_filter(const Snapshot* snapshot,
                                 const google::protobuf::RepeatedField<int>& kinds,
                                 const google::protobuf::RepeatedField<uint32_t>& object_bytes);

// `snapshot` tells the sizes of the classes.
bool matches(const EventFilter& filter, const Snapshot& snapshot, const Event& event);

void to_proto(const Snapshot& snapshot, const Event& event, pb::Event* out);

}  // namespace liballoc::agent
