// segment_discovery.cc - see segment_discovery.h. Must never block on the watch.
#include "agent/discover/segment_discovery.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/reader/limits.h"

namespace liballoc::agent {
namespace {

Failure<Error> directory_error(const std::string& path, const char* what, int error) {
  const ErrorCode code = error == ENOENT                     ? ErrorCode::kNotFound
                         : error == EACCES || error == EPERM ? ErrorCode::kPermissionDenied
                                                             : ErrorCode::kUnavailable;
  return failure(code,
                 std::string(what) + " segment directory " + path + ": " + std::strerror(error));
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

}  // namespace

Status SegmentDiscovery::open_directory() {
  struct stat info {};
  // A directory that was removed stays open but has no link any more.
  if (directory_ && ::fstat(directory_.value(), &info) == 0 && info.st_nlink > 0) return {};
  watch_.reset();
  directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory_) return directory_error(path_, "cannot open", errno);
  watch_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (watch_) {
    const uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF;
    if (::inotify_add_watch(watch_.value(), path_.c_str(), events) < 0) watch_.reset();
  }
  return {};
}

Result<std::vector<SegmentName>> SegmentDiscovery::scan() {
  if (auto opened = open_directory(); !opened) return failure(opened.error());
  // A descriptor of its own, so that the position of each listing starts at the beginning.
  const int list_fd = ::openat(directory_.value(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (list_fd < 0) return directory_error(path_, "cannot list", errno);
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(list_fd));
  if (dir == nullptr) {
    const int error = errno;
    ::close(list_fd);
    return directory_error(path_, "cannot list", error);
  }
  std::vector<SegmentName> names;
  left_out_ = 0;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (const auto name = parse_segment_name(entry->d_name)) {
      if (names.size() < limits::kMaxSegments) {
        names.push_back(*name);
      } else {
        ++left_out_;
      }
    }
    errno = 0;
  }
  if (errno != 0) return directory_error(path_, "cannot list", errno);
  return names;
}

bool SegmentDiscovery::drain_watch() {
  if (!watch_) return false;
  bool any = false;
  alignas(inotify_event) std::array<char, 16384> buffer;
  while (::read(watch_.value(), buffer.data(), buffer.size()) > 0) any = true;
  return any;
}

}  // namespace liballoc::agent
