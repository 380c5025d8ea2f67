// file_calls.h - the file system calls of the segment, raw: no errno, no libc state, no allocation.
// Returns are the kernel's (negative errno on failure). The *at forms only, which every
// architecture has. Never retries, never logs.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <cstddef>
#include <cstdint>

#include "liballoc/base/syscall.h"

namespace liballoc::sys {

inline long open_at(const char* path, int flags, unsigned mode = 0) {
  return raw_syscall(SYS_openat, AT_FDCWD, arg(path), flags, static_cast<long>(mode));
}
inline long close_fd(int fd) { return raw_syscall(SYS_close, fd); }
inline long read_fd(int fd, void* to, size_t n) {
  return raw_syscall(SYS_read, fd, arg(to), arg(n));
}
inline long unlink_at(const char* path) {
  return raw_syscall(SYS_unlinkat, AT_FDCWD, arg(path), 0);
}
inline long read_link(const char* path, char* to, size_t n) {
  return raw_syscall(SYS_readlinkat, AT_FDCWD, arg(path), arg(to), arg(n));
}
// On 64-bit Linux libc's struct stat is the kernel's.
inline long stat_fd(int fd, struct stat* out) { return raw_syscall(SYS_fstat, fd, arg(out)); }
inline long stat_path_no_follow(const char* path, struct stat* out) {
  return raw_syscall(SYS_newfstatat, AT_FDCWD, arg(path), arg(out), AT_SYMLINK_NOFOLLOW);
}
inline long stat_path(const char* path, struct stat* out) {
  return raw_syscall(SYS_newfstatat, AT_FDCWD, arg(path), arg(out), 0);
}
inline long chmod_fd(int fd, unsigned mode) {
  return raw_syscall(SYS_fchmod, fd, static_cast<long>(mode));
}
inline long truncate_fd(int fd, uint64_t bytes) {
  return raw_syscall(SYS_ftruncate, fd, static_cast<long>(bytes));
}
inline long allocate_fd(int fd, uint64_t offset, uint64_t bytes) {
  return raw_syscall(SYS_fallocate, fd, 0, static_cast<long>(offset), static_cast<long>(bytes));
}
inline long map_shared(size_t bytes, long protection, long extra_flags, int fd, void** out) {
  const long r = raw_syscall(SYS_mmap, 0, arg(bytes), protection, MAP_SHARED | extra_flags, fd, 0);
  if (r < 0 && r > -4096) return r;
  *out = reinterpret_cast<void*>(r);
  return 0;
}
// Both replace what is mapped there.
inline long map_shared_at(void* at, size_t bytes, int fd, uint64_t offset) {
  const long r = raw_syscall(SYS_mmap, arg(at), arg(bytes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                             static_cast<long>(offset));
  return r < 0 && r > -4096 ? r : 0;
}
inline long remap_shared(void* from, size_t bytes, void* to) {
  const long r = raw_syscall(SYS_mremap, arg(from), 0, arg(bytes), MREMAP_MAYMOVE | MREMAP_FIXED, arg(to));
  return r < 0 && r > -4096 ? r : 0;
}
inline long protect(void* at, size_t bytes, long protection) {
  return raw_syscall(SYS_mprotect, arg(at), arg(bytes), protection);
}
inline long advise(void* at, size_t bytes, long advice) {
  return raw_syscall(SYS_madvise, arg(at), arg(bytes), advice);
}
inline long unmap(void* at, size_t bytes) { return raw_syscall(SYS_munmap, arg(at), arg(bytes)); }
inline uint32_t effective_uid() { return static_cast<uint32_t>(raw_syscall(SYS_geteuid)); }
inline uint32_t real_uid() { return static_cast<uint32_t>(raw_syscall(SYS_getuid)); }
inline long host_names(struct utsname* out) { return raw_syscall(SYS_uname, arg(out)); }
inline long clock_now(int clock, struct timespec* out) {
  return raw_syscall(SYS_clock_gettime, clock, arg(out));
}

// The soft limit; UINT64_MAX = none, also when it cannot be read.
inline uint64_t soft_limit(int resource) {
  struct rlimit limit {};  // 64-bit fields on 64-bit Linux: the kernel's rlimit64
  if (raw_syscall(SYS_prlimit64, 0, resource, 0, arg(&limit)) < 0) return UINT64_MAX;
  return limit.rlim_cur;
}

// Write lock on the whole file, owned by the open file description: it lives as long as a
// descriptor or mapping of it.
inline long lock_description(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return raw_syscall(SYS_fcntl, fd, F_OFD_SETLK, arg(&lock));
}
// 1 = somebody holds a lock, 0 = nobody, negative errno.
inline long locked_by_other(int fd) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const long r = raw_syscall(SYS_fcntl, fd, F_OFD_GETLK, arg(&lock));
  if (r < 0) return r;
  return lock.l_type == F_UNLCK ? 0 : 1;
}

struct DirectoryEntry {  // struct linux_dirent64
  uint64_t inode;
  int64_t next;
  uint16_t record_bytes;
  uint8_t type;
  char name[1];  // NUL-terminated, to the end of the record
};
inline long read_directory(int fd, void* to, size_t n) {
  return raw_syscall(SYS_getdents64, fd, arg(to), arg(n));
}

}  // namespace liballoc::sys
