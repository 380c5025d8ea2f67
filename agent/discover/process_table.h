// process_table.h - all processes of one segment directory: adopts new segments, polls them,
// retires replaced ones, and removes what is over. The single-threaded core of the collector; it
// blocks on nothing but the file system.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/base/log.h"
#include "agent/discover/collector.h"
#include "agent/discover/segment_discovery.h"
#include "agent/discover/tracked_process.h"

namespace liballoc::agent {

class ProcessTable {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  ProcessTable(const CollectorOptions& options, Registry& registry);

  void rescan();    // looks at the directory; adopts, reads and publishes what is new
  void poll_all();  // reads every process; drops and removes what has been over for long enough
  // False when there is no such process or it cannot be read now.
  bool poll_one(std::string_view key);

  // A segment without its magic was seen: look again soon.
  bool waiting_for_magic() const { return waiting_for_magic_; }
  int watch_fd() const { return discovery_.watch_fd(); }
  bool drain_watch() { return discovery_.drain_watch(); }
  const CollectorStats& stats() const { return stats_; }

 private:
  // A name that is not (yet) a process.
  struct Candidate {
    SteadyTime first_seen;
    RejectBackoff backoff;
    std::optional<FileId> left_alone;  // over, but could not be removed: never adopt it again
  };

  void adopt(const SegmentName& name, SteadyTime now);
  void reject_candidate(const std::string& key, Candidate& candidate, const RejectError& error,
                        const SegmentFile* file, SteadyTime now);
  using ProcessMap = std::map<std::string, std::unique_ptr<TrackedProcess>>;
  void retire(ProcessMap::iterator process);
  bool poll_process(TrackedProcess& process, SteadyTime now);
  void publish(TrackedProcess& process, TrackedProcess::Outcome& outcome);
  void expire(SteadyTime now);
  // Of more ended processes than the limit, drops those that exited cleanly first, the oldest
  // first.
  void drop_surplus(SteadyTime now);
  // Forgets it and removes its file; the process after it.
  ProcessMap::iterator drop(ProcessMap::iterator process, SteadyTime now);
  void count_rejection(const std::string& key, const RejectError& error);
  // Unlinks the file if it is still this one and nobody holds its lock.
  bool remove_file(const std::string& key, FileId id);
  void count_processes();

  const CollectorOptions options_;
  Registry& registry_;
  SegmentDiscovery discovery_;
  ProcessStatsReader kernel_;
  ProcessMap processes_;                                              // by key
  std::map<std::string, Candidate> candidates_;                       // by name
  std::map<std::string, uint64_t> retired_count_;  // by name; only of names in processes_
  bool first_scan_ = true;
  bool waiting_for_magic_ = false;
  CollectorStats stats_;
  LogLimiter directory_log_{1, std::chrono::seconds(60)};
  LogLimiter reject_log_{10, std::chrono::seconds(60)};
};

}  // namespace liballoc::agent
