// socket_guard.h - the sole right to serve a unix socket path.
//
// gRPC unlinks and replaces a socket that another process still serves. A lock on "<path>.lock"
// prevents that: the kernel drops it when its holder ends, however it ends. Must never unlink the
// lock file (that would let two hold it).
#pragma once

#include <optional>
#include <string>

#include "agent/base/unique_fd.h"

namespace liballoc::agent {

class SocketGuard {
 public:
  // Locks `path`; returns what went wrong. Refuses paths that are too long, and files there that
  // are no socket.
  [[nodiscard]] std::optional<std::string> acquire(const std::string& path);

 private:
  UniqueFd lock_;
};

}  // namespace liballoc::agent
