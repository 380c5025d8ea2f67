// registry.h - the processes the agent knows, as immutable snapshots: the one meeting point of the
// collector (writes) and everything that serves (reads).
//
// Thread-safe. Holds one snapshot per key and never modifies one; readers keep what they got for as
// long as they like.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/event_log.h"
#include "agent/model/snapshot.h"

namespace liballoc::agent {

class Registry {
 public:

  // Replaces the snapshot of the same identity.key. Null is ignored.
  void publish(SnapshotPtr snapshot);
  void remove(const std::string& key);

  std::vector<SnapshotPtr> list() const;  // sorted by pid, then key
  // Several processes can have had the pid: one that runs first, else the one that ended last. Null
  // when none.
  SnapshotPtr find_pid(uint32_t pid) const;
  SnapshotPtr find_key(std::string_view key) const;

  // Grows with every publish and every remove that removed something.
  uint64_t version() const;
  // Waits until version() differs from `seen_version`; false when the time is over first.
  bool wait_change(uint64_t seen_version, std::chrono::milliseconds timeout) const;

  // What the rings of the processes said lately, by the same keys.
  EventLog& events() { return events_; }
  const EventLog& events() const { return events_; }

 private:
  mutable std::mutex mutex_;  // guards version_ and snapshots_
  mutable std::condition_variable changed_;
  uint64_t version_ = 0;
  std::map<std::string, SnapshotPtr, std::less<>> snapshots_;
  EventLog events_;  // has its own lock, never taken together with mutex_
};

}  // namespace liballoc::agent
