// registry.cc - see registry.h. Must never run a snapshot's destructor under the lock: it can free
// many megabytes.
#include "agent/model/registry.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace liballoc::agent {

void Registry::publish(SnapshotPtr snapshot) {
  if (snapshot == nullptr) return;
  {
    const std::lock_guard lock(mutex_);
    // After the swap the parameter holds the old snapshot and frees it when this function has
    // returned.
    snapshots_[snapshot->identity.key].swap(snapshot);
    ++version_;
  }
  changed_.notify_all();
}

void Registry::remove(const std::string& key) {
  SnapshotPtr removed;
  {
    const std::lock_guard lock(mutex_);
    const auto found = snapshots_.find(key);
    if (found == snapshots_.end()) return;
    removed = std::move(found->second);
    snapshots_.erase(found);
    ++version_;
  }
  changed_.notify_all();
}

std::vector<SnapshotPtr> Registry::list() const {
  std::vector<SnapshotPtr> all;
  {
    const std::lock_guard lock(mutex_);
    all.reserve(snapshots_.size());
    for (const auto& [key, snapshot] : snapshots_) all.push_back(snapshot);
  }
  std::stable_sort(all.begin(), all.end(), [](const SnapshotPtr& a, const SnapshotPtr& b) {
    return a->identity.pid < b->identity.pid;
  });
  return all;
}

SnapshotPtr Registry::find_pid(uint32_t pid) const {
  const auto rank = [](const Snapshot& s) {
    return std::make_tuple(s.state == ProcessState::kRunning, s.exit_time_unix_ns,
                           s.identity.start_ticks);
  };
  const std::lock_guard lock(mutex_);
  SnapshotPtr best;
  for (const auto& [key, snapshot] : snapshots_) {
    if (snapshot->identity.pid != pid) continue;
    if (best == nullptr || rank(*snapshot) > rank(*best)) best = snapshot;
  }
  return best;
}

SnapshotPtr Registry::find_key(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = snapshots_.find(key);
  return found == snapshots_.end() ? nullptr : found->second;
}

uint64_t Registry::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

bool Registry::wait_change(uint64_t seen_version, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return version_ != seen_version; });
}

}  // namespace liballoc::agent
