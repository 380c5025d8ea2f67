// socket_guard.cc - see socket_guard.h. Must never unlink the lock file.
#include "agent/service/socket_guard.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace liballoc::agent {

std::optional<std::string> SocketGuard::acquire(const std::string& path) {
  constexpr size_t kMaxPathBytes = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMaxPathBytes) {
    return "the path of a unix socket has from 1 to " + std::to_string(kMaxPathBytes) +
           " bytes, this one has " + std::to_string(path.size());
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISSOCK(info.st_mode)) {
    return path + " exists and is no socket";
  }
  const std::string lock_path = path + ".lock";
  UniqueFd lock(
      ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!lock) return "cannot open " + lock_path + ": " + std::strerror(errno);
  if (::flock(lock.value(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return "another process serves it (it holds " + lock_path + ")";
    return "cannot lock " + lock_path + ": " + std::strerror(errno);
  }
  lock_ = std::move(lock);
  return std::nullopt;
}

}  // namespace liballoc::agent
