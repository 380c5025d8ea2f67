// tracked_process.cc - see tracked_process.h. Must never publish a snapshot that says kRunning once
// the lock was free.
#include "agent/discover/tracked_process.h"

#include <algorithm>
#include <utility>

namespace liballoc::agent {
namespace {

// Drains of a dead process's ring: as many as the largest ring of the format can need.
constexpr int kFinalReadings = 64;

}  // namespace

TrackedProcess::TrackedProcess(SegmentName name, SegmentFile file)
    : name_(name),
      file_id_(file.id()),
      file_(std::move(file)),
      reader_(name),
      last_sign_of_life_unix_ns_(file_->modified_unix_ns()) {}

ProcessState TrackedProcess::end_state(uint64_t exit_state, const ProcessIdentity& identity,
                                       const ProcessStatsReader& kernel) const {
  if (exit_state == LIBALLOC_EXIT_FAULT) return ProcessState::kFaulted;
  if (exit_state == LIBALLOC_EXIT_CLEAN) return ProcessState::kExitedClean;
  // A process that removes its segment, or that of its image before an exec, says so in it first:
  // one without a word was removed by somebody else. The lock is gone but the process is not: it
  // went on with an image without the library.
  if (kernel.read(identity)) return ProcessState::kExitedClean;
  return ProcessState::kKilled;
}

void TrackedProcess::add_kernel_figures(const ProcessStatsReader& kernel,
                                        Snapshot& snapshot) const {
  MemStats& memstats = snapshot.memstats;
  if (snapshot.state != ProcessState::kRunning) {  // the last that were known
    if (last_ == nullptr) return;
    memstats.resident_bytes = last_->memstats.resident_bytes;
    memstats.virtual_bytes = last_->memstats.virtual_bytes;
  } else if (const auto stats = kernel.read(snapshot.identity)) {
    memstats.resident_bytes = stats->resident_bytes;
    memstats.virtual_bytes = stats->virtual_bytes;
  }
}

void TrackedProcess::end_without_reading(const ProcessStatsReader& kernel, int64_t now_unix_ns,
                                         Outcome& outcome) {
  if (last_ == nullptr) return;
  auto snapshot = std::make_shared<Snapshot>(*last_);
  snapshot->state = end_state(last_exit_state_, snapshot->identity, kernel);
  snapshot->exit_time_unix_ns = now_unix_ns;
  last_ = snapshot;
  outcome.snapshot = last_;
}

TrackedProcess::Outcome TrackedProcess::poll(const ProcessStatsReader& kernel, SteadyTime now,
                                             int64_t now_unix_ns,
                                             std::chrono::milliseconds interval) {
  Outcome outcome;
  if (ended()) return outcome;
  // The lock is tested before the reading: free now means that nothing is written any more. Where
  // the kernel does not say, the process is taken to live.
  const bool alive = file_->locked().value_or(true);
  if (alive && !backoff_.due(now)) return outcome;

  auto reading = reader_.read(*file_, alive, now_unix_ns);
  if (reading && !alive) {
    for (int i = 0; i < kFinalReadings && !reading->ring_drained; ++i) {
      auto more = reader_.read(*file_, alive, now_unix_ns);
      if (!more) break;
      more->events.insert(more->events.begin(), reading->events.begin(), reading->events.end());
      reading = std::move(more);
    }
  }
  if (!alive) ended_at_ = now;
  if (!reading) {
    outcome.rejected = reading.error();
    outcome.count_rejection = backoff_.note(reading.error().reason, now, interval);
    if (!alive) end_without_reading(kernel, now_unix_ns, outcome);
  } else {
    backoff_.clear();
    auto snapshot = std::make_shared<Snapshot>(std::move(reading->snapshot));
    last_exit_state_ = reading->exit_state;
    last_sign_of_life_unix_ns_ = std::max(
        {last_sign_of_life_unix_ns_, reading->last_update_unix_ns, reading->exit_time_unix_ns});
    if (!alive) {
      snapshot->state = end_state(reading->exit_state, snapshot->identity, kernel);
      snapshot->exit_time_unix_ns =
          reading->exit_time_unix_ns != 0 ? reading->exit_time_unix_ns : now_unix_ns;
    }
    add_kernel_figures(kernel, *snapshot);
    const uint64_t missed_before = last_ != nullptr ? last_->health.ring_missed : 0;
    outcome.ring_missed = snapshot->health.ring_missed - missed_before;
    outcome.events = std::move(reading->events);
    last_ = std::move(snapshot);
    outcome.snapshot = last_;
  }
  if (!alive) file_.reset();
  return outcome;
}

std::shared_ptr<const Snapshot> TrackedProcess::retire(std::string key) {
  retired_ = true;
  reader_.set_key(key);
  if (last_ == nullptr) return nullptr;
  auto snapshot = std::make_shared<Snapshot>(*last_);
  snapshot->identity.key = std::move(key);
  if (snapshot->state == ProcessState::kKilled) snapshot->state = ProcessState::kExitedClean;
  last_ = snapshot;
  return last_;
}

}  // namespace liballoc::agent
