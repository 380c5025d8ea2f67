// segment_file.h - the file of a segment: created exclusively, locked, sized, mapped, backed. After
// create() no descriptor stays open: the mapping keeps the lock. Never touches a page that is not
// populated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

enum class SegmentStatus {
  kOk,
  kDisabled,      // create() was not asked for a directory
  kNoDirectory,   // not there, not a directory, or not an absolute path
  kNoSpace,       // the file system is full
  kNoPermission,  // not writable for us
  kLimited,       // a resource limit (file size, address space, descriptors) leaves no room
  kFailed         // anything else
};

class SegmentFile {
 public:
  constexpr SegmentFile() = default;

  // Makes dir/liballoc.<pid>.<start_ticks>, with ".1" to ".8" behind it where that name is in use.
  // The first `backed_bytes` of the mapping are populated and writable; `fixed_bytes`, where the
  // file cannot grow (multiples of the system page).
  SegmentStatus create(const char* dir, uint32_t pid, uint64_t start_ticks, uint64_t backed_bytes,
                       uint64_t fixed_bytes);
  // Removes the name, if it still leads to our file.
  void unlink();
  // Maps [offset, offset + bytes) of the file once more, over whatever is mapped `at`, not inherited by the child of a fork.
  // Multiples of the system page. Only bytes that are populated may be touched there. False when the system refuses: then
  // what was there may be gone.
  [[nodiscard]] bool view(uint64_t offset, size_t bytes, void* at) const;
  void unmap();
  void forget();  // child of a fork: the mapping is not there, the file is the parent's

  std::byte* base() const { return base_; }
  uint64_t capacity() const { return capacity_; }
  // False on a kernel without MADV_POPULATE_WRITE (before 5.14): the first bytes came from
  // fallocate, more cannot be had.
  bool can_grow() const { return can_grow_; }
  const char* path() const { return path_; }

  static constexpr uint64_t kMinCapacity = uint64_t{4} << 20;

 private:
  SegmentStatus open_exclusive(const char* dir, uint32_t pid, uint64_t start_ticks, int* fd);
  SegmentStatus fill(int fd, uint64_t backed_bytes, uint64_t fixed_bytes);

  std::byte* base_ = nullptr;
  uint64_t capacity_ = 0;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  bool can_grow_ = false;
  char path_[512] = {};
};

}  // namespace liballoc
