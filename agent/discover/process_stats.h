// process_stats.h - what the kernel says about a process, where it is certain that it is this
// process: same PID namespace as the agent, and the same start time. Never believes a pid alone.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct ProcessStats {
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
};

class ProcessStatsReader {
 public:
  explicit ProcessStatsReader(std::string proc_dir);

  // Nothing when the process is gone, is a zombie, has no memory any more, or cannot be seen from
  // here. One whose main thread alone has ended is there: its other threads have the memory.
  std::optional<ProcessStats> read(const ProcessIdentity& identity) const;

  // Whether that process is certainly one of other users than `owner`: then a file of theirs is not
  // its segment. Root's files may be anybody's, since processes give root up after they made one.
  bool is_of_others(const ProcessIdentity& identity, uid_t owner) const;

 private:
  bool has_pid(const ProcessIdentity& identity) const;

  const std::string proc_dir_;
  uint64_t own_namespace_ = 0;
};

// Parts of /proc/PID/stat, for read() and its tests: the state letter and field 22. The second
// field is a name that may hold anything, blanks and brackets included.
struct ProcStat {
  char state = 0;
  uint64_t start_ticks = 0;
};
std::optional<ProcStat> parse_proc_stat(const std::string& text);

// The four user ids (real, effective, saved, file system) that /proc/PID/status names; nothing when
// it does not.
std::optional<std::array<uid_t, 4>> parse_proc_status_uids(const std::string& text);

}  // namespace liballoc::agent
