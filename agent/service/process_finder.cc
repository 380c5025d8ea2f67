// process_finder.cc - see process_finder.h. Must never be called from a gRPC reaction.
#include "agent/service/process_finder.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace liballoc::agent {
namespace {

namespace pb = ::liballoc::telemetry::v1;

// False: there was no time, or the collector could not do it.
bool refresh(const ServiceState& state, const std::string& key,
             std::chrono::system_clock::time_point deadline) {
  if (!state.context.refresh) return true;
  const auto left =
      std::chrono::floor<std::chrono::milliseconds>(deadline - std::chrono::system_clock::now());
  const auto budget = std::min(left, state.limits.refresh_timeout);
  return budget.count() > 0 && state.context.refresh(key, budget);
}

// The processes that a pid can mean: all that run, else the one that the registry prefers.
std::vector<SnapshotPtr> candidates(const Registry& registry, uint32_t pid) {
  std::vector<SnapshotPtr> running;
  for (SnapshotPtr& snapshot : registry.list()) {
    if (snapshot->identity.pid == pid && snapshot->state == ProcessState::kRunning) {
      running.push_back(std::move(snapshot));
    }
  }
  if (!running.empty()) return running;
  SnapshotPtr ended = registry.find_pid(pid);
  return ended == nullptr ? running : std::vector<SnapshotPtr>{std::move(ended)};
}

grpc::Status ambiguous(uint32_t pid, const std::vector<SnapshotPtr>& found) {
  std::string message = "pid " + std::to_string(pid) + " is the pid of " +
                        std::to_string(found.size()) +
                        " running processes in different PID namespaces; ask for one by its key:";
  for (const SnapshotPtr& snapshot : found) message += " " + snapshot->identity.key;
  return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, message);
}

// Longer keys are cut in messages: no segment has one.
std::string shown_key(const std::string& key) {
  constexpr size_t kMaxShownBytes = 128;
  return key.size() <= kMaxShownBytes ? key : key.substr(0, kMaxShownBytes) + "...";
}

}  // namespace

grpc::Status check_selector(const pb::ProcessSelector& selector) {
  const char* wrong = nullptr;
  if (selector.process_case() == pb::ProcessSelector::PROCESS_NOT_SET) {
    wrong = "process: not set; name a process by pid or by key";
  } else if (selector.has_pid() && selector.pid() == 0) {
    wrong = "process.pid: 0 is no process; a pid from 1 to 4294967295 is allowed";
  } else if (selector.has_key() && selector.key().empty()) {
    wrong = "process.key: empty; a key such as \"liballoc.1234.5678\" is allowed";
  }
  return wrong == nullptr ? grpc::Status::OK
                          : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, wrong);
}

FoundOrStatus find_process(const ServiceState& state, const pb::ProcessSelector& selector,
                           std::chrono::system_clock::time_point deadline) {
  if (grpc::Status status = check_selector(selector); !status.ok()) return status;
  if (selector.has_key()) return find_process_again(state, selector.key(), deadline);
  const Registry& registry = *state.context.registry;
  std::vector<SnapshotPtr> found = candidates(registry, selector.pid());
  if (found.empty() || found.front()->state != ProcessState::kRunning) {
    refresh(state, "", deadline);  // it may have started a moment ago
    found = candidates(registry, selector.pid());
  }
  if (found.empty()) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no process with pid " +
                                                         std::to_string(selector.pid()) +
                                                         " runs under liballoc, nor ended lately");
  }
  if (found.size() > 1) return ambiguous(selector.pid(), found);
  return find_process_again(state, found.front()->identity.key, deadline);
}

FoundOrStatus find_process_again(const ServiceState& state, const std::string& key,
                                 std::chrono::system_clock::time_point deadline) {
  const Registry& registry = *state.context.registry;
  SnapshotPtr snapshot = registry.find_key(key);
  bool stale = false;
  if (snapshot == nullptr) {
    refresh(state, "", deadline);  // it may have started a moment ago
    snapshot = registry.find_key(key);
  } else if (snapshot->state == ProcessState::kRunning) {
    stale = !refresh(state, key, deadline);
    snapshot = registry.find_key(key);
  }
  if (snapshot == nullptr) {
    return grpc::Status(
        grpc::StatusCode::NOT_FOUND,
        "no process with key \"" + shown_key(key) + "\" runs under liballoc, nor ended lately");
  }
  stale = stale && snapshot->state == ProcessState::kRunning;  // an ended one cannot change
  return FoundProcess{std::move(snapshot), stale};
}

void refresh_all(const ServiceState& state, std::chrono::system_clock::time_point deadline) {
  refresh(state, "", deadline);
}

grpc::Status replaced_status() {
  return grpc::Status(grpc::StatusCode::NOT_FOUND,
                      "the process has gone on with another program, or is forgotten");
}

grpc::Status draining_status() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the agent is shutting down");
}

}  // namespace liballoc::agent
