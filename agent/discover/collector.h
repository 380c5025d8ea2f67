// collector.h - the one thread that finds segments, reads them and publishes snapshots.
//
// Owns every segment reader; nothing else in the agent touches a segment. No error of a segment, of
// the directory or of the kernel ends it: it is counted, logged with a limit, and tried again. A
// segment directory that does not exist yet is waited for. All public functions are thread-safe.
//
// Life of a process as seen here:
//
//   lock held                            kRunning
//   lock free, exit_state CLEAN          kExitedClean   an image replaced by exec says CLEAN too
//   lock free, but the process goes on   kExitedClean   exec of a program without the library
//   lock free, exit_state FAULT          kFaulted
//   lock free, exit_state NONE           kKilled        whether or not the file is still there
//
// An ended process is read once more, kept for `retain_exited`, then dropped, and its file is
// removed. Of more than limits::kMaxEnded, those that exited cleanly go before their time, then the
// oldest.
//
// Keys: a process's key is the name of its segment file. When a process that execs makes a new
// segment of the same name, the snapshot of the old image is kept under "<name>#1", of the next
// "<name>#2" and so on.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/base/result.h"
#include "agent/model/registry.h"
#include "agent/reader/reject.h"

namespace liballoc::agent {

struct CollectorOptions {
  std::string shm_dir;
  std::chrono::milliseconds interval{1000};
  std::chrono::seconds retain_exited{900};
  // How long a segment may stay without its magic before it counts as incomplete.
  std::chrono::milliseconds incomplete_grace{5000};
  std::string proc_dir = "/proc";
};

struct CollectorStats {
  std::array<uint64_t, kRejectCount>
      rejected{};              // by Reject; a segment counts once per reason in a row
  uint64_t collections = 0;    // passes over all processes that came to their end
  double collect_seconds = 0;  // spent in them
  uint64_t segments_read = 0;  // snapshots made
  uint64_t ring_events = 0;    // events read from rings
  uint64_t ring_missed = 0;    // overwritten before they were read
  uint64_t torn_records = 0;   // sums over all snapshots
  uint64_t corrupt_records = 0;
  uint64_t segments_removed = 0;  // files of ended processes that were unlinked
  uint64_t processes_live = 0;    // now
  uint64_t processes_exited = 0;  // now
};

class Collector {
 public:
  Collector(CollectorOptions options, Registry& registry);
  ~Collector();  // stops
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Makes one pass over the directory before it returns, so the registry is filled; then goes on in
  // its own thread.
  [[nodiscard]] Status start();
  void stop();  // idempotent

  // Reads the process with this key now ("" = looks at the directory again and reads all), and
  // returns true once the registry has a snapshot made after the call. False: no such process, not
  // running, or the deadline passed first.
  bool collect_now(const std::string& key, std::chrono::milliseconds deadline);

  CollectorStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liballoc::agent
