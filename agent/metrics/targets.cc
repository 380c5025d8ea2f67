// targets.cc - see targets.h.
#include "agent/metrics/targets.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace liballoc::agent {
namespace {

bool is_running(const Snapshot& snapshot) { return snapshot.state == ProcessState::kRunning; }

// Running before ended; among the running the oldest first, so that new arrivals never displace a
// series; among the ended the latest first.
bool goes_before(const std::shared_ptr<const Snapshot>& a,
                 const std::shared_ptr<const Snapshot>& b) {
  if (is_running(*a) != is_running(*b)) return is_running(*a);
  const int64_t ta = a->identity.start_time_unix_ns;
  const int64_t tb = b->identity.start_time_unix_ns;
  if (ta != tb) return is_running(*a) ? ta < tb : ta > tb;
  return a->identity.key < b->identity.key;
}

}  // namespace

TargetSelection select_targets(const std::vector<std::shared_ptr<const Snapshot>>& processes,
                               size_t limit) {
  std::vector<std::shared_ptr<const Snapshot>> ordered;
  for (const auto& process : processes) {
    if (process) ordered.push_back(process);
  }
  std::sort(ordered.begin(), ordered.end(), goes_before);

  using PidAndService = std::pair<uint32_t, std::string>;
  std::map<PidAndService, std::set<uint32_t>> namespaces;  // of running processes
  for (const auto& process : ordered) {
    const ProcessIdentity& id = process->identity;
    if (is_running(*process)) namespaces[PidAndService(id.pid, id.service)].insert(id.pid_namespace);
  }

  TargetSelection selection;
  std::set<std::pair<std::string, std::string>> used;
  for (auto& process : ordered) {
    const ProcessIdentity& id = process->identity;
    std::string pid = std::to_string(id.pid);
    auto group = namespaces.find(PidAndService(id.pid, id.service));
    if (group != namespaces.end() && group->second.size() > 1) {
      pid += "@" + std::to_string(id.pid_namespace);
    }
    if (!used.emplace(pid, id.service).second) continue;  // a later owner of the same labels
    if (selection.targets.size() == limit) {
      ++selection.omitted;
    } else {
      selection.targets.push_back({std::move(process), std::move(pid)});
    }
  }
  return selection;
}

}  // namespace liballoc::agent
