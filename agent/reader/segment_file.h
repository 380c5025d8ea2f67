// segment_file.h - one open segment file, read-only. Must never map it (a file that shrinks would
// be SIGBUS), follow a symbolic link, block on a FIFO, or take a lock.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "agent/base/unique_fd.h"
#include "agent/reader/byte_source.h"

namespace liballoc::agent {

// What tells two files of the same name apart.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  int64_t born_ns =
      0;  // 0 where the file system does not keep it; some give an inode number out again
  bool operator==(const FileId&) const = default;
};

// The file that a name in a directory leads to now (not through a symbolic link); nothing when
// there is none.
std::optional<FileId> file_id_at(int directory_fd, const std::string& name);

class SegmentFile final : public ByteSource {
 public:
  // Opens and checks: a regular file of `owner` (any owner if that is root), closed to group and
  // others, of a size that can be a segment's.
  static ReadResult<SegmentFile> open_at(int directory_fd, const std::string& name, uid_t owner);

  // For a file that a person names: a regular file of a size that can be a segment's, whoever owns
  // it and may read it; symbolic links are followed.
  static ReadResult<SegmentFile> open_path(const std::string& path);

  ReadResult<uint64_t> size() const override;
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override;

  FileId id() const { return id_; }
  int64_t modified_unix_ns() const { return modified_unix_ns_; }  // at open
  uid_t owner() const { return owner_; }

  // Whether a process holds the lock that says it lives. Nothing when the kernel will not say.
  std::optional<bool> locked() const;

 private:
  SegmentFile(UniqueFd fd, const struct stat& info);

  UniqueFd fd_;
  FileId id_;
  int64_t modified_unix_ns_ = 0;
  uid_t owner_ = 0;
};

}  // namespace liballoc::agent
