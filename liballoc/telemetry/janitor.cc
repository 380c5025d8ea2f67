// janitor.cc - see janitor.h. Trusts nothing that it reads in a segment: a lying one is at worst
// removed too early.
#include "liballoc/telemetry/janitor.h"

#include <cstring>

#include "liballoc/telemetry/file_calls.h"
#include "liballoc/telemetry/segment_name.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

namespace {

struct DeadSegment {
  uint64_t last_sign_ns;  // wall time
  char name[56];          // longest: liballoc.2147483647.18446744073709551615.8
};

constexpr size_t kDirectoryBufferBytes = 16 * 1024;
constexpr unsigned kMaxDead = (kJanitorScratchBytes - kDirectoryBufferBytes) / sizeof(DeadSegment);

bool read_at(int fd, uint64_t offset, void* to, size_t bytes) {
  return sys::raw_syscall(SYS_pread64, fd, sys::arg(to), sys::arg(bytes),
                          static_cast<long>(offset)) == static_cast<long>(bytes);
}

// The last moment at which the file shows its process alive: creation (as the file system has it),
// the last published figures, or the recorded exit.
uint64_t last_sign_of_life(int fd, const struct stat& st) {
  uint64_t latest = static_cast<uint64_t>(st.st_mtim.tv_sec) * 1000000000u +
                    static_cast<uint64_t>(st.st_mtim.tv_nsec);
  liballoc_abi_header header;
  if (!read_at(fd, 0, &header, sizeof(header)) || header.magic != LIBALLOC_ABI_MAGIC) return latest;
  uint64_t monotonic = header.exit_monotonic_ns;
  const uint64_t entries = header.directory_count < LIBALLOC_ABI_DIRECTORY_CAPACITY
                               ? header.directory_count
                               : LIBALLOC_ABI_DIRECTORY_CAPACITY;
  for (uint64_t i = 0; i < entries; i++) {
    liballoc_abi_section entry;
    if (!read_at(fd, header.directory_offset + i * header.directory_stride, &entry, sizeof(entry)))
      break;
    if (entry.kind != LIBALLOC_SECTION_MEMSTATS) continue;
    uint64_t updated = 0;
    if (entry.offset < header.capacity_bytes &&
        read_at(fd, entry.offset + offsetof(liballoc_abi_memstats, updated_ns), &updated,
                sizeof(updated)) &&
        updated > monotonic) {
      monotonic = updated;
    }
    break;
  }
  if (monotonic > header.created_monotonic_ns) {
    const uint64_t real = header.created_realtime_ns + (monotonic - header.created_monotonic_ns);
    if (real > latest) latest = real;
  }
  return latest;
}

// Whether `path` is a segment of ours whose process is gone; *last_sign_ns is then set.
bool is_dead(const char* path, uint64_t* last_sign_ns) {
  struct stat st {};
  if (sys::stat_path_no_follow(path, &st) < 0) return false;
  if (!S_ISREG(st.st_mode) || st.st_uid != sys::effective_uid()) return false;
  const long opened = sys::open_at(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (opened < 0) return false;
  const int fd = static_cast<int>(opened);
  const bool dead = sys::locked_by_other(fd) == 0;
  if (dead) *last_sign_ns = last_sign_of_life(fd, st);
  sys::close_fd(fd);
  return dead;
}

bool old_enough(uint64_t last_sign_ns, uint64_t now_ns, uint64_t limit_ns) {
  return now_ns > last_sign_ns && now_ns - last_sign_ns > limit_ns;
}

}  // namespace

unsigned remove_dead_segments(const char* dir, uint64_t now_realtime_ns,
                              const JanitorLimits& limits, char* scratch) {
  const long opened = sys::open_at(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return 0;
  const int fd = static_cast<int>(opened);
  auto* const dead = reinterpret_cast<DeadSegment*>(scratch);
  char* const buffer = scratch + kMaxDead * sizeof(DeadSegment);
  char path[512];
  unsigned dead_count = 0, seen = 0;
  while (seen < limits.max_entries) {
    const long got = sys::read_directory(fd, buffer, kDirectoryBufferBytes);
    if (got <= 0) break;
    for (long at = 0; at < got && seen < limits.max_entries; seen++) {
      const auto* const entry = reinterpret_cast<const sys::DirectoryEntry*>(buffer + at);
      at += entry->record_bytes;
      SegmentName name;
      DeadSegment found{};
      if (!parse_segment_name(entry->name, &name) ||
          !join_path(dir, entry->name, path, sizeof(path)))
        continue;
      if (dead_count == kMaxDead || !is_dead(path, &found.last_sign_ns)) continue;
      memcpy(found.name, entry->name, strlen(entry->name) + 1);  // fits: it parsed
      dead[dead_count++] = found;
    }
  }
  sys::close_fd(fd);
  unsigned removed = 0;
  for (unsigned i = 0; i < dead_count; i++) {
    unsigned newer = 0;
    for (unsigned k = 0; k < dead_count; k++) {
      newer += dead[k].last_sign_ns > dead[i].last_sign_ns ||
               (dead[k].last_sign_ns == dead[i].last_sign_ns && k < i);
    }
    if (newer < limits.keep_newest) continue;
    const bool old =
        old_enough(dead[i].last_sign_ns, now_realtime_ns, limits.keep_younger_than_ns);
    if (newer < limits.keep_at_most && !old) continue;
    if (join_path(dir, dead[i].name, path, sizeof(path)) && sys::unlink_at(path) == 0) removed++;
  }
  return removed;
}

}  // namespace liballoc
