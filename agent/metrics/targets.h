// targets.h - which processes a scrape covers, and the pid label of each.
//
// (pid, service) identifies the series of a process. Two processes may share both, in two PID
// namespaces or when a pid is reused while its last owner is retained; here that is resolved so
// that no two targets have the same labels.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct Target {
  std::shared_ptr<const Snapshot> snapshot;
  // The pid; for running processes of the same pid and service in different PID namespaces,
  // "pid@namespace" for all of them, so that no series changes hands between processes.
  std::string pid;
};

struct TargetSelection {
  std::vector<Target> targets;
  size_t omitted =
      0;  // beyond the limit; an older process whose labels were taken over is not counted
};

TargetSelection select_targets(const std::vector<std::shared_ptr<const Snapshot>>& processes,
                               size_t limit);

}  // namespace liballoc::agent
