// segment_discovery.h - finds the segment files of one directory, by listing it; inotify only says
// when to look again.
//
// A directory that is missing, or that is removed and made again, is found as soon as it is there.
// Never opens a segment. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"
#include "agent/reader/segment_name.h"

namespace liballoc::agent {

class SegmentDiscovery {
 public:
  explicit SegmentDiscovery(std::string directory) : path_(std::move(directory)) {}

  // The names of all segments, in no particular order; at most limits::kMaxSegments.
  Result<std::vector<SegmentName>> scan();

  // The directory of the last scan; -1 when there was none.
  int directory_fd() const { return directory_.value(); }
  // Readable when a name may have come or gone; -1 when the kernel offers no watch (then only scans
  // tell).
  int watch_fd() const { return watch_.value(); }
  // Takes what the watch has to say. True when there was something.
  bool drain_watch();
  // Names of the last scan that were left out because there were too many.
  uint64_t left_out() const { return left_out_; }

 private:
  Status open_directory();

  const std::string path_;
  UniqueFd directory_;
  UniqueFd watch_;
  uint64_t left_out_ = 0;
};

}  // namespace liballoc::agent
