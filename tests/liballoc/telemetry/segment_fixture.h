// segment_fixture.h - what the segment tests share: a directory of their own, a segment in it, and
// a look at its file through the file system, as the agent has it. Never looks at the mapping of
// the segment under test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "liballoc/telemetry/segment.h"

namespace liballoc {

class TempDir {
 public:
  TempDir() {
    char name[] = "/dev/shm/liballoc-test-XXXXXX";
    if (mkdtemp(name) != nullptr) path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }

 private:
  std::string path_;
};

// Runs `body` in a child process; true when it returned true there.
inline bool in_child(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline bool is_locked(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const int r = fcntl(fd, F_OFD_GETLK, &lock);
  close(fd);
  return r == 0 && lock.l_type != F_UNLCK;
}

// A fresh read of the file at every call.
class FileView {
 public:
  explicit FileView(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~FileView() {
    if (fd_ >= 0) close(fd_);
  }
  FileView(const FileView&) = delete;
  FileView& operator=(const FileView&) = delete;

  bool ok() const { return fd_ >= 0; }
  template <typename T>
  T at(uint64_t offset) const {
    T value{};
    EXPECT_EQ(pread(fd_, &value, sizeof(value), static_cast<off_t>(offset)),
              static_cast<ssize_t>(sizeof(value)));
    return value;
  }
  liballoc_abi_header header() const { return at<liballoc_abi_header>(0); }
  std::vector<liballoc_abi_section> extents(uint32_t kind) const {
    const liballoc_abi_header h = header();
    std::vector<liballoc_abi_section> found;
    for (uint64_t i = 0; i < h.directory_count; i++) {
      const auto entry = at<liballoc_abi_section>(h.directory_offset + i * h.directory_stride);
      if (entry.kind == kind) found.push_back(entry);
    }
    return found;
  }
  // Every record that the counts cover, by record number.
  template <typename T>
  std::vector<T> records(uint32_t kind) const {
    std::vector<T> all;
    uint64_t first = 0;
    for (const auto& extent : extents(kind)) {
      for (uint64_t i = 0; i < extent.count && i < extent.capacity; i++) {
        all.resize(first + i + 1);
        all[first + i] = at<T>(extent.offset + i * extent.stride);
      }
      first += extent.capacity;
    }
    return all;
  }
  // ---- the ring: where event n lies while it is there, how many events there are, and which is the oldest that is still there
  liballoc_abi_section ring() const { return extents(LIBALLOC_SECTION_RING).at(0); }
  static uint64_t ring_records(const liballoc_abi_section& ring) { return ring.ring_round & 0xffff; }
  static uint64_t ring_oldest(const liballoc_abi_section& ring) {
    const uint64_t records = ring_records(ring);
    return std::max(ring.count > records ? ring.count - records : 0, ring.ring_round >> 16);
  }
  static uint64_t ring_offset(const liballoc_abi_section& ring, uint64_t event) {
    return ring.offset + (event - (ring.ring_round >> 16)) % ring_records(ring) * ring.stride;
  }
  void expect_ring_holds_its_events() const {
    const liballoc_abi_section entry = ring();
    for (uint64_t n = ring_oldest(entry); n < entry.count; n++) {
      ASSERT_EQ(at<liballoc_abi_record>(ring_offset(entry, n)).sequence, n + 1);
    }
  }
  uint64_t dropped(uint32_t kind) const { return extents(kind).at(0).dropped; }
  uint64_t stored_bytes() const {
    struct stat st {};
    fstat(fd_, &st);
    return static_cast<uint64_t>(st.st_blocks) * 512;
  }

 private:
  int fd_;
};

inline std::array<liballoc_abi_size_class, LIBALLOC_ABI_SIZE_CLASSES> test_classes() {
  std::array<liballoc_abi_size_class, LIBALLOC_ABI_SIZE_CLASSES> classes{};
  for (uint32_t i = 1; i < classes.size(); i++) classes[i] = {16 * i, 1, 8192 / (16 * i), 0};
  return classes;
}

// A soft limit for as long as this lives.
class ScopedLimit {
 public:
  ScopedLimit(int resource, rlim_t soft) : resource_(resource) {
    getrlimit(static_cast<__rlimit_resource_t>(resource_), &before_);
    rlimit changed = before_;
    changed.rlim_cur = soft;
    setrlimit(static_cast<__rlimit_resource_t>(resource_), &changed);
  }
  ~ScopedLimit() { setrlimit(static_cast<__rlimit_resource_t>(resource_), &before_); }
  ScopedLimit(const ScopedLimit&) = delete;
  ScopedLimit& operator=(const ScopedLimit&) = delete;

 private:
  int resource_;
  rlimit before_{};
};

class SegmentTest : public testing::Test {
 protected:
  SegmentStatus create(SegmentConfig config = {}) {
    if (config.dir == nullptr) config.dir = dir_.path().c_str();
    return segment_->create(config, test_classes().data());
  }
  // The smallest capacity, so that tables fill up soon.
  SegmentStatus create_small(const SegmentConfig& config = {}) {
    ScopedLimit limit(RLIMIT_FSIZE, SegmentFile::kMinCapacity);
    return create(config);
  }
  FileView view() const { return FileView(segment_->path()); }
  liballoc_abi_thread* enter_new_block(uint32_t tid, uint64_t now_ns) {
    liballoc_abi_thread* const block = segment_->add_thread_block();
    segment_->enter_thread_block(block, tid, now_ns);
    return block;
  }

  TempDir dir_;
  std::unique_ptr<Segment> segment_ = std::make_unique<Segment>();
};

}  // namespace liballoc
