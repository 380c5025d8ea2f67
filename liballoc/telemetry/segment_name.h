// segment_name.h - the names of segment files: liballoc.<pid>.<start ticks>, and the same with .1
// to .8 behind it where two processes of different PID namespaces share a directory and a name.
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

inline constexpr unsigned kMaxSegmentSuffix = 8;

struct SegmentName {
  uint32_t pid;
  uint64_t start_ticks;
  unsigned suffix;  // 0 = none
};

// dir/name; false when it does not fit.
bool format_segment_path(const char* dir, const SegmentName& name, char* out, size_t out_bytes);
// dir/file_name; false when it does not fit.
bool join_path(const char* dir, const char* file_name, char* out, size_t out_bytes);
// False for anything that format_segment_path() would not have written.
bool parse_segment_name(const char* file_name, SegmentName* out);

}  // namespace liballoc
