// tracked_process.h - one segment and what became of it: open file, reader, last snapshot, running
// or ended.
//
// Holds the descriptor while the process lives, so the last state can be read after the file was
// unlinked, and lets it go once the process has ended. Not thread-safe; the collector thread owns
// it.
//
//   running --lock free--> ended (final)      retire() changes the key, at any time, and an ended
//   kKilled into
//                                             kExitedClean: the same process went on, so nobody
//                                             killed it
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/discover/process_stats.h"
#include "agent/discover/reject_backoff.h"
#include "agent/model/snapshot.h"
#include "agent/reader/segment_file.h"
#include "agent/reader/segment_reader.h"

namespace liballoc::agent {

class TrackedProcess {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  TrackedProcess(SegmentName name, SegmentFile file);

  struct Outcome {
    std::shared_ptr<const Snapshot> snapshot;  // to publish; null when there is nothing new
    std::vector<Event> events;
    uint64_t ring_missed = 0;             // since the last outcome
    std::optional<RejectError> rejected;  // why it could not be read
    bool count_rejection = false;         // false: the same reason as the last time
  };
  // Reads the segment unless the process has ended before. `now` is only used to pace retries and
  // to date the end.
  Outcome poll(const ProcessStatsReader& kernel, SteadyTime now, int64_t now_unix_ns,
               std::chrono::milliseconds interval);

  // Gives the process another key, because its name belongs to a newer segment. Returns the
  // snapshot to publish under it; null when there never was one.
  std::shared_ptr<const Snapshot> retire(std::string key);

  const SegmentName& name() const { return name_; }
  const std::string& key() const { return reader_.key(); }
  bool retired() const { return retired_; }
  FileId file_id() const { return file_id_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return last_; }

  bool ended() const { return ended_at_.has_value(); }
  SteadyTime ended_at() const { return *ended_at_; }
  bool ended_clean() const { return last_ && last_->state == ProcessState::kExitedClean; }
  // For a process found dead: when it showed its last sign of life, in wall time. 0 = unknown.
  int64_t last_sign_of_life_unix_ns() const { return last_sign_of_life_unix_ns_; }
  void set_ended_at(SteadyTime when) { ended_at_ = when; }

 private:
  ProcessState end_state(uint64_t exit_state, const ProcessIdentity& identity,
                         const ProcessStatsReader& kernel) const;
  void add_kernel_figures(const ProcessStatsReader& kernel, Snapshot& snapshot) const;
  // After a failed reading of an ended process: the last snapshot, marked as ended.
  void end_without_reading(const ProcessStatsReader& kernel, int64_t now_unix_ns, Outcome& outcome);

  const SegmentName name_;
  const FileId file_id_;
  std::optional<SegmentFile> file_;  // empty once ended
  SegmentReader reader_;
  RejectBackoff backoff_;
  bool retired_ = false;
  std::shared_ptr<const Snapshot> last_;
  uint64_t last_exit_state_ = LIBALLOC_EXIT_NONE;
  std::optional<SteadyTime> ended_at_;
  int64_t last_sign_of_life_unix_ns_ = 0;
};

}  // namespace liballoc::agent
