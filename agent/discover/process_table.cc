// process_table.cc - see process_table.h. Must never unlink a file that a process may still write.
#include "agent/discover/process_table.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "agent/base/time_units.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {
namespace {

int64_t unix_now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return ns_of(now);
}

// Found dead when the agent starts: the steady time of its last sign of life, not after `now`.
std::chrono::steady_clock::time_point steady_time_of(int64_t unix_ns,
                                                     std::chrono::steady_clock::time_point now) {
  const int64_t age = std::clamp<int64_t>(unix_now_ns() - unix_ns, 0, int64_t{1} << 60);
  return now - std::chrono::nanoseconds(age);
}

// Reasons that do not say "this is no segment of ours": such a file may be removed once it is dead
// and old.
bool is_our_wreck(Reject reason) {
  switch (reason) {
    case Reject::kOpenFailed:
    case Reject::kNotRegularFile:
    case Reject::kWrongOwner:
    case Reject::kWrongMode:
    case Reject::kFileTooSmall:
    case Reject::kFileTooLarge:
    case Reject::kReadFailed:
    case Reject::kBadMagic:
    case Reject::kUnsupportedVersion:
    case Reject::kNameMismatch:
      return false;
    default:
      return true;
  }
}

}  // namespace

ProcessTable::ProcessTable(const CollectorOptions& options, Registry& registry)
    : options_(options),
      registry_(registry),
      discovery_(options.shm_dir),
      kernel_(options.proc_dir) {}

void ProcessTable::rescan() {
  const auto now = std::chrono::steady_clock::now();
  waiting_for_magic_ = false;
  const auto names = discovery_.scan();
  if (!names) {
    directory_log_.log(LogLevel::kWarning, names.error().message);
    return;
  }
  if (discovery_.left_out() > 0) {
    directory_log_.log(LogLevel::kWarning, std::to_string(discovery_.left_out()) +
                                               " segments left out: too many in one directory");
  }
  std::set<std::string> present;
  for (const SegmentName& name : *names) {
    const std::string key = name.text();
    present.insert(key);
    if (const auto known = processes_.find(key); known != processes_.end()) {
      const auto id = file_id_at(discovery_.directory_fd(), key);
      if (!id || *id == known->second->file_id()) continue;
      retire(known);
    }
    adopt(name, now);
  }
  std::erase_if(candidates_, [&](const auto& entry) { return !present.contains(entry.first); });
  first_scan_ = false;
  count_processes();
}

void ProcessTable::adopt(const SegmentName& name, SteadyTime now) {
  const std::string key = name.text();
  Candidate& candidate = candidates_.try_emplace(key, Candidate{now, {}, {}}).first->second;
  if (!candidate.backoff.due(now)) return;
  if (candidate.left_alone && candidate.left_alone == file_id_at(discovery_.directory_fd(), key)) {
    return;
  }
  auto file = SegmentFile::open_at(discovery_.directory_fd(), key, ::geteuid());
  if (!file) return reject_candidate(key, candidate, file.error(), nullptr, now);
  const SegmentFile& opened = *file;
  if (const auto layout = read_layout(opened); !layout) {
    return reject_candidate(key, candidate, layout.error(), &opened, now);
  }
  const uid_t owner = opened.owner();
  auto process = std::make_unique<TrackedProcess>(name, std::move(*file));
  auto outcome = process->poll(kernel_, now, unix_now_ns(), options_.interval);
  if (outcome.rejected && outcome.snapshot == nullptr) {
    // The file has moved into the process; open it again only to judge whether it can be removed.
    auto again = SegmentFile::open_at(discovery_.directory_fd(), key, ::geteuid());
    return reject_candidate(key, candidate, *outcome.rejected, again ? &*again : nullptr, now);
  }
  if (outcome.snapshot != nullptr && kernel_.is_of_others(outcome.snapshot->identity, owner)) {
    const RejectError error{Reject::kWrongOwner,
                            "owner " + std::to_string(owner) + ", whose process this is not"};
    return reject_candidate(key, candidate, error, nullptr, now);
  }
  if (process->ended() && first_scan_) {
    process->set_ended_at(steady_time_of(process->last_sign_of_life_unix_ns(), now));
    if (now - process->ended_at() >= options_.retain_exited) {
      const FileId id = process->file_id();
      if (!remove_file(key, id)) candidate.left_alone = id;
      return;
    }
  }
  candidates_.erase(key);
  TrackedProcess& added = *processes_.insert_or_assign(key, std::move(process)).first->second;
  publish(added, outcome);
}

void ProcessTable::reject_candidate(const std::string& key, Candidate& candidate,
                                    const RejectError& error, const SegmentFile* file,
                                    SteadyTime now) {
  const auto age = now - candidate.first_seen;
  if (error.reason == Reject::kIncomplete && age < options_.incomplete_grace) {
    waiting_for_magic_ = true;
    return;
  }
  if (candidate.backoff.note(error.reason, now, options_.interval)) count_rejection(key, error);
  if (file == nullptr || !is_our_wreck(error.reason)) return;
  const auto since =
      first_scan_ ? steady_time_of(file->modified_unix_ns(), now) : candidate.first_seen;
  if (now - since >= options_.retain_exited && file->locked() == false) {
    if (!remove_file(key, file->id())) candidate.left_alone = file->id();
  }
}

void ProcessTable::count_rejection(const std::string& key, const RejectError& error) {
  ++stats_.rejected[static_cast<size_t>(error.reason)];
  reject_log_.log(LogLevel::kWarning, "segment " + key +
                                          " rejected: " + std::string(reject_name(error.reason)) +
                                          ": " + error.detail);
}

void ProcessTable::retire(ProcessMap::iterator process) {
  const auto now = std::chrono::steady_clock::now();
  std::unique_ptr<TrackedProcess> old = std::move(process->second);
  const std::string name = process->first;
  processes_.erase(process);
  // The last state of the image that was replaced.
  auto outcome = old->poll(kernel_, now, unix_now_ns(), options_.interval);
  publish(*old, outcome);
  std::string key;
  do {
    key = name + "#" + std::to_string(++retired_count_[name]);
  } while (processes_.contains(key));
  const auto snapshot = old->retire(key);
  registry_.events().rename(name, key);
  registry_.publish(snapshot);
  registry_.remove(name);
  processes_.emplace(key, std::move(old));
}

void ProcessTable::publish(TrackedProcess& process, TrackedProcess::Outcome& outcome) {
  if (outcome.rejected && outcome.count_rejection) {
    count_rejection(process.key(), *outcome.rejected);
  }
  stats_.ring_events += outcome.events.size();
  stats_.ring_missed += outcome.ring_missed;
  // Events first: who sees the snapshot finds the events it speaks of.
  registry_.events().append(process.key(), outcome.events);
  if (outcome.snapshot == nullptr) return;
  if (!outcome.rejected) {
    ++stats_.segments_read;
    stats_.torn_records += outcome.snapshot->health.torn_records;
    stats_.corrupt_records += outcome.snapshot->health.corrupt_records;
  }
  registry_.publish(outcome.snapshot);
}

bool ProcessTable::poll_process(TrackedProcess& process, SteadyTime now) {
  auto outcome = process.poll(kernel_, now, unix_now_ns(), options_.interval);
  const bool made = outcome.snapshot != nullptr;
  publish(process, outcome);
  return made;
}

void ProcessTable::poll_all() {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [key, process] : processes_) poll_process(*process, now);
  expire(now);
  count_processes();
}

bool ProcessTable::poll_one(std::string_view key) {
  const auto found = processes_.find(std::string(key));
  if (found == processes_.end()) return false;
  if (found->second->ended()) return found->second->snapshot() != nullptr;
  const bool made = poll_process(*found->second, std::chrono::steady_clock::now());
  count_processes();
  return made;
}

void ProcessTable::expire(SteadyTime now) {
  for (auto it = processes_.begin(); it != processes_.end();) {
    const TrackedProcess& process = *it->second;
    const bool over = process.ended() && now - process.ended_at() >= options_.retain_exited;
    it = over ? drop(it, now) : std::next(it);
  }
  drop_surplus(now);
  // The number of retired images counts on as long as any snapshot of the name is left.
  std::erase_if(retired_count_, [&](const auto& entry) {
    const auto next = processes_.lower_bound(entry.first);
    return next == processes_.end() ||
           (next->first != entry.first && !next->first.starts_with(entry.first + "#"));
  });
}

void ProcessTable::drop_surplus(SteadyTime now) {
  std::vector<ProcessMap::iterator> ended;
  for (auto it = processes_.begin(); it != processes_.end(); ++it) {
    if (it->second->ended()) ended.push_back(it);
  }
  if (ended.size() <= limits::kMaxEnded) return;
  // Nobody asks for the evidence of a clean exit as for that of a kill.
  const auto goes_first = [](const auto& a, const auto& b) {
    const bool a_clean = a->second->ended_clean(), b_clean = b->second->ended_clean();
    return a_clean != b_clean ? a_clean : a->second->ended_at() < b->second->ended_at();
  };
  const auto kept = ended.begin() + static_cast<ptrdiff_t>(ended.size() - limits::kMaxEnded);
  std::nth_element(ended.begin(), kept, ended.end(), goes_first);
  std::for_each(ended.begin(), kept, [&](auto it) { drop(it, now); });
}

ProcessTable::ProcessMap::iterator ProcessTable::drop(ProcessMap::iterator it, SteadyTime now) {
  const TrackedProcess& process = *it->second;
  const std::string key = process.key();
  registry_.remove(key);
  registry_.events().remove(key);
  // A retired process has no name any more: its file was unlinked by the image that came after it.
  if (!process.retired() && !remove_file(key, process.file_id())) {
    candidates_.insert_or_assign(key, Candidate{now, {}, process.file_id()});
  }
  return processes_.erase(it);
}

bool ProcessTable::remove_file(const std::string& key, FileId id) {
  const int directory = discovery_.directory_fd();
  if (file_id_at(directory, key) != id) return true;  // gone, or another segment's by now
  const auto file = SegmentFile::open_at(directory, key, ::geteuid());
  if (!file || (*file).id() != id || (*file).locked() != false) return false;
  if (::unlinkat(directory, key.c_str(), 0) != 0) return false;
  ++stats_.segments_removed;
  return true;
}

void ProcessTable::count_processes() {
  stats_.processes_live = 0;
  stats_.processes_exited = 0;
  for (const auto& [key, process] : processes_) {
    ++(process->ended() ? stats_.processes_exited : stats_.processes_live);
  }
}

}  // namespace liballoc::agent
