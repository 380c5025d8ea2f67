// segment_file.cc - see segment_file.h. Each step that fails takes back the ones before it.
#include "liballoc/telemetry/segment_file.h"

#include <errno.h>
#include <sys/mman.h>

#include <cstddef>

#include "liballoc/base/bits.h"
#include "liballoc/telemetry/file_calls.h"
#include "liballoc/telemetry/segment_name.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

namespace {

SegmentStatus status_of(long error) {
  switch (-error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
      return SegmentStatus::kNoDirectory;
    case EACCES:
    case EPERM:
    case EROFS:
      return SegmentStatus::kNoPermission;
    case ENOSPC:
    case EDQUOT:
    case EFAULT:  // what populating says on a full file system
      return SegmentStatus::kNoSpace;
    case EMFILE:
    case ENFILE:
    case EFBIG:
    case ENOMEM:
    case EAGAIN:
      return SegmentStatus::kLimited;
    default:
      return SegmentStatus::kFailed;
  }
}

// Says in the segment of our image before an exec that it was not killed: a reader that still has
// it open learns it from there alone. What it said itself stays.
void mark_replaced(int fd) {
  constexpr long kAt = offsetof(liballoc_abi_header, exit_state);
  uint64_t state = 0;
  const auto bytes = static_cast<long>(sizeof(state));
  if (sys::raw_syscall(SYS_pread64, fd, sys::arg(&state), bytes, kAt) != bytes) return;
  if (state != LIBALLOC_EXIT_NONE) return;
  state = LIBALLOC_EXIT_CLEAN;
  sys::raw_syscall(SYS_pwrite64, fd, sys::arg(&state), bytes, kAt);
}

// The name is taken. When by a file of ours that nobody has locked, its process is gone (or was us,
// before an exec): removes it and returns true.
bool remove_if_dead(const char* path) {
  struct stat st {};
  if (sys::stat_path_no_follow(path, &st) < 0) return false;
  if (!S_ISREG(st.st_mode) || st.st_uid != sys::effective_uid()) return false;
  const long fd = sys::open_at(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  const bool dead = sys::locked_by_other(static_cast<int>(fd)) == 0;
  if (dead) mark_replaced(static_cast<int>(fd));
  sys::close_fd(static_cast<int>(fd));
  return dead && sys::unlink_at(path) == 0;
}

// The largest power of two up to the format's cap that the limits leave room for; 0 when that is
// below the least.
uint64_t allowed_capacity() {
  uint64_t allowed = LIBALLOC_ABI_CAPACITY_BYTES;
  // Beyond the file size limit ftruncate raises a signal, so it must not be tried.
  const uint64_t file_limit = sys::soft_limit(RLIMIT_FSIZE);
  if (file_limit < allowed) allowed = file_limit;
  // The program limited its addresses for itself: an eighth is the most we take.
  const uint64_t address_limit = sys::soft_limit(RLIMIT_AS) / 8;
  if (address_limit < allowed) allowed = address_limit;
  return allowed < SegmentFile::kMinCapacity ? 0 : uint64_t{1} << log2_floor(allowed);
}

}  // namespace

SegmentStatus SegmentFile::open_exclusive(const char* dir, uint32_t pid, uint64_t start_ticks,
                                          int* fd) {
  for (unsigned suffix = 0; suffix <= kMaxSegmentSuffix; suffix++) {
    if (!format_segment_path(dir, {pid, start_ticks, suffix}, path_, sizeof(path_))) {
      return SegmentStatus::kNoDirectory;
    }
    constexpr int kFlags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    long r = sys::open_at(path_, kFlags, 0600);
    if (r == -EEXIST && remove_if_dead(path_)) r = sys::open_at(path_, kFlags, 0600);
    if (r >= 0) {
      *fd = static_cast<int>(r);
      return SegmentStatus::kOk;
    }
    if (r != -EEXIST) return status_of(r);
  }
  return SegmentStatus::kFailed;
}

SegmentStatus SegmentFile::create(const char* dir, uint32_t pid, uint64_t start_ticks,
                                  uint64_t backed_bytes, uint64_t fixed_bytes) {
  capacity_ = allowed_capacity();
  if (capacity_ == 0) return SegmentStatus::kLimited;
  if (dir[0] != '/') return SegmentStatus::kNoDirectory;
  int fd = -1;
  SegmentStatus status = open_exclusive(dir, pid, start_ticks, &fd);
  if (status != SegmentStatus::kOk) {
    forget();
    return status;
  }
  status = fill(fd, backed_bytes, fixed_bytes);
  if (status != SegmentStatus::kOk) {
    sys::unlink_at(path_);
    if (base_ != nullptr) unmap();
    forget();
  }
  sys::close_fd(fd);
  return status;
}

SegmentStatus SegmentFile::fill(int fd, uint64_t backed_bytes, uint64_t fixed_bytes) {
  struct stat st {};
  long r = sys::stat_fd(fd, &st);
  if (r < 0) return status_of(r);
  if ((st.st_mode & 07777) != 0600) {  // the umask took of it, or the directory's default access list added
    r = sys::chmod_fd(fd, 0600);
    if (r < 0) return status_of(r);
  }
  r = sys::lock_description(fd);
  if (r < 0) return SegmentStatus::kFailed;
  device_ = st.st_dev;
  inode_ = st.st_ino;
  // Without access until populated: a stray store faults in our code, where it belongs, and
  // mlockall() of the program does not fill the file up to its logical size.
  void* mapping = nullptr;
  for (;; capacity_ /= 2) {
    if (capacity_ < kMinCapacity) return SegmentStatus::kLimited;
    r = sys::truncate_fd(fd, capacity_);
    if (r == 0) r = sys::map_shared(capacity_, PROT_NONE, MAP_NORESERVE, fd, &mapping);
    if (r == 0) break;
    if (r != -EFBIG && r != -ENOMEM && r != -EAGAIN) return status_of(r);
  }
  base_ = static_cast<std::byte*>(mapping);
  r = sys::advise(base_, capacity_, MADV_DONTFORK);
  if (r < 0) return status_of(r);
  can_grow_ = true;
  r = populate_range(base_, 0, backed_bytes);
  if (r == -EINVAL) {  // a kernel that cannot populate: the file system can still promise these
                       // blocks, and no more
    can_grow_ = false;
    r = sys::allocate_fd(fd, 0, fixed_bytes);
    if (r == 0) r = sys::protect(base_, fixed_bytes, PROT_READ | PROT_WRITE);
  }
  return r < 0 ? status_of(r) : SegmentStatus::kOk;
}

void SegmentFile::unlink() {
  if (path_[0] == '\0') return;
  struct stat st {};
  if (sys::stat_path_no_follow(path_, &st) == 0 && st.st_dev == device_ && st.st_ino == inode_) {
    sys::unlink_at(path_);
  }
}

bool SegmentFile::view(uint64_t offset, size_t bytes, void* at) const {
  // A mapping that is asked to move none of its bytes is doubled, and the double is no more inherited than the first. No
  // descriptor and no name is needed for that, and no fork of another thread can come in between.
  if (sys::remap_shared(base_ + offset, bytes, at) >= 0) return true;
  // Not every emulator knows it.
  const long fd = sys::open_at(path_, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  struct stat st {};
  const bool ours = sys::stat_fd(static_cast<int>(fd), &st) == 0 && st.st_dev == device_ && st.st_ino == inode_;
  const long r = ours ? sys::map_shared_at(at, bytes, static_cast<int>(fd), offset) : -ENOENT;
  sys::close_fd(static_cast<int>(fd));
  if (r < 0) return false;
  if (sys::advise(at, bytes, MADV_DONTFORK) >= 0) return true;
  sys::unmap(at, bytes);
  return false;
}

void SegmentFile::unmap() {
  sys::unmap(base_, capacity_);
  base_ = nullptr;
}

void SegmentFile::forget() {
  base_ = nullptr;
  capacity_ = 0;
  device_ = 0;
  inode_ = 0;
  can_grow_ = false;
  path_[0] = '\0';
}

}  // namespace liballoc
