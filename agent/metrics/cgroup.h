// cgroup.h - memory figures of a control group, read from the cgroup v2 files.
//
// The path comes from the target process, so it is not trusted: it must be absolute and free of
// "..", symlinks are not followed below the root, and only a few small files are read, each up to a
// fixed size. Must never write anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace liballoc::agent {

struct CgroupMemory {
  std::optional<uint64_t> current, max,
      high;  // bytes; max and high absent = no limit, or not readable
  std::optional<uint64_t> oom_kills;

  bool empty() const { return !current && !max && !high && !oom_kills; }
};

// Thread-safe: holds only the path of the root.
class CgroupReader {
 public:
  explicit CgroupReader(std::string root = "/sys/fs/cgroup");

  // `cgroup` is a path as in /proc/PID/cgroup, with or without the leading "0::". The root group
  // ("/") yields nothing: it has no memory files, and inside a cgroup namespace it would name the
  // agent's own group instead of the target's.
  CgroupMemory read(std::string_view cgroup) const;

 private:
  std::string root_;
};

// The container id in a cgroup path: the last run of 64 hex digits (docker, containerd, cri-o,
// podman); empty = none.
std::string container_id(std::string_view cgroup);

}  // namespace liballoc::agent
