// process_finder.h - from the process a request names to its newest snapshot.
//
// Waits for the collector (bounded by the refresh limit and the call's deadline), so it runs on a
// WorkQueue and must never be called from a gRPC reaction.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <memory>
#include <string>
#include <variant>

#include "agent/model/snapshot.h"
#include "agent/service/context.h"
#include "liballoc/telemetry/v1/process.pb.h"

namespace liballoc::agent {

struct FoundProcess {
  std::shared_ptr<const Snapshot> snapshot;  // never null
  bool stale = false;  // the process runs, but could not be read in time: the snapshot is older
                       // than the request
};
using FoundOrStatus = std::variant<FoundProcess, grpc::Status>;

// INVALID_ARGUMENT where the request names no process. Cheap: may be called from a reaction.
[[nodiscard]] grpc::Status check_selector(
    const ::liballoc::telemetry::v1::ProcessSelector& selector);

// The process that `selector` names, read now. NOT_FOUND and FAILED_PRECONDITION name what was
// asked for.
[[nodiscard]] FoundOrStatus find_process(const ServiceState& state,
                                         const ::liballoc::telemetry::v1::ProcessSelector& selector,
                                         std::chrono::system_clock::time_point deadline);

// The same for a process that has been found before.
[[nodiscard]] FoundOrStatus find_process_again(const ServiceState& state, const std::string& key,
                                               std::chrono::system_clock::time_point deadline);

// Brings all processes up to date as far as there is time for it.
void refresh_all(const ServiceState& state, std::chrono::system_clock::time_point deadline);

// The end of a stream whose key is another program's by now.
[[nodiscard]] grpc::Status replaced_status();
[[nodiscard]] grpc::Status draining_status();

}  // namespace liballoc::agent
