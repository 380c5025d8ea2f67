// segment_file.cc - see segment_file.h. Must never trust a size from inside the file.
#include "agent/reader/segment_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "agent/base/time_units.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {
namespace {

std::string errno_text(int error) { return std::strerror(error); }

std::string octal(mode_t mode) {
  char text[16];
  std::snprintf(text, sizeof(text), "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}

// 0 when the kernel or the file system does not say.
int64_t birth_time_ns(int directory_fd, const char* name, int flags) {
  struct statx info {};
  if (::statx(directory_fd, name, flags, STATX_BTIME, &info) != 0 ||
      (info.stx_mask & STATX_BTIME) == 0) {
    return 0;
  }
  return ns_of(info.stx_btime);
}

ReadResult<void> check_kind_and_size(const struct stat& info) {
  if (!S_ISREG(info.st_mode)) {
    return reject(Reject::kNotRegularFile, "file type " + octal(info.st_mode >> 12));
  }
  // An empty file is one whose creator has not sized it yet: the header's missing magic says so.
  const uint64_t bytes = static_cast<uint64_t>(info.st_size);
  if (bytes != 0 && bytes < sizeof(liballoc_abi_header)) {
    return reject(Reject::kFileTooSmall, std::to_string(bytes) + " bytes, a header has " +
                                             std::to_string(sizeof(liballoc_abi_header)));
  }
  if (bytes > limits::kMaxFileBytes) {
    return reject(Reject::kFileTooLarge, std::to_string(bytes) + " bytes, at most " +
                                             std::to_string(limits::kMaxFileBytes));
  }
  return {};
}

}  // namespace

std::optional<FileId> file_id_at(int directory_fd, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory_fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino,
                birth_time_ns(directory_fd, name.c_str(), AT_SYMLINK_NOFOLLOW)};
}

SegmentFile::SegmentFile(UniqueFd fd, const struct stat& info)
    : fd_(std::move(fd)),
      id_{info.st_dev, info.st_ino, birth_time_ns(fd_.value(), "", AT_EMPTY_PATH)},
      modified_unix_ns_(ns_of(info.st_mtim)),
      owner_(info.st_uid) {}

ReadResult<SegmentFile> SegmentFile::open_at(int directory_fd, const std::string& name,
                                             uid_t owner) {
  UniqueFd fd(::openat(directory_fd, name.c_str(),
                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return reject(Reject::kOpenFailed, errno_text(errno));
  struct stat info {};
  if (::fstat(fd.value(), &info) != 0) return reject(Reject::kOpenFailed, errno_text(errno));
  if (auto checked = check_kind_and_size(info); !checked) return failure(checked.error());
  if (owner != 0 && info.st_uid != owner) {
    return reject(Reject::kWrongOwner,
                  "owner " + std::to_string(info.st_uid) + ", must be " + std::to_string(owner));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return reject(Reject::kWrongMode, "mode " + octal(info.st_mode) + ", must be 0600 or less");
  }
  return SegmentFile(std::move(fd), info);
}

ReadResult<SegmentFile> SegmentFile::open_path(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return reject(Reject::kOpenFailed, errno_text(errno));
  struct stat info {};
  if (::fstat(fd.value(), &info) != 0) return reject(Reject::kOpenFailed, errno_text(errno));
  if (auto checked = check_kind_and_size(info); !checked) return failure(checked.error());
  return SegmentFile(std::move(fd), info);
}

ReadResult<uint64_t> SegmentFile::size() const {
  struct stat info {};
  if (::fstat(fd_.value(), &info) != 0) return reject(Reject::kReadFailed, errno_text(errno));
  return static_cast<uint64_t>(info.st_size);
}

ReadResult<void> SegmentFile::read_at(uint64_t offset, std::span<uint8_t> out) const {
  if (!BytesView::fits(offset, out.size(), limits::kMaxFileBytes)) {
    return reject(Reject::kReadFailed, "offset " + std::to_string(offset) + " is past the cap");
  }
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n = ::pread(fd_.value(), out.data() + done, out.size() - done,
                              static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return reject(Reject::kReadFailed, errno_text(errno));
    if (n == 0) {
      return reject(Reject::kTruncated, "the file ends at " + std::to_string(offset + done));
    }
    done += static_cast<size_t>(n);
  }
  return {};
}

std::optional<bool> SegmentFile::locked() const {
  struct flock lock {};
  lock.l_type = F_WRLCK;  // conflicts with a read lock and with a write lock of anybody
  lock.l_whence = SEEK_SET;
  if (::fcntl(fd_.value(), F_OFD_GETLK, &lock) != 0) return std::nullopt;
  return lock.l_type != F_UNLCK;
}

}  // namespace liballoc::agent
