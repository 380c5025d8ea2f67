// process_list.h - the processes of a registry, in the states a client wants, in a stable order.
//
// Functions of their arguments and the clock. Must never wait.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/messages/convert.h"
#include "agent/model/registry.h"
#include "liballoc/telemetry/v1/process.pb.h"

namespace liballoc::agent {

using StateFilter = google::protobuf::RepeatedField<int>;
using SnapshotList = std::vector<std::shared_ptr<const Snapshot>>;

// kInvalidArgument where `states` holds a number that is no state.
[[nodiscard]] Status check_states(const StateFilter& states);

// Ordered by start time, then key. An empty filter admits all.
[[nodiscard]] SnapshotList processes_in(const Registry& registry, const StateFilter& states);

// Equal for two lists exactly when they hold the same processes in the same states.
[[nodiscard]] std::string membership(const SnapshotList& list);

// A list response of this moment: ListProcessesResponse or WatchProcessesResponse.
template <typename Response>
void fill_process_list(const SnapshotList& list, Response* response) {
  response->Clear();
  to_proto(unix_now_ns(), response->mutable_time());
  for (const auto& snapshot : list) to_proto(*snapshot, response->add_processes());
}

}  // namespace liballoc::agent
