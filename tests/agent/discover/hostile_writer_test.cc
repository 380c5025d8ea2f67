// hostile_writer_test.cc - a live process that writes nonsense into its own segment as fast as it
// can, cuts the file off and lets it grow, while a real collector polls it. The test's own process
// is the agent: a SIGBUS or a crash in it ends the test.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <string>

#include "agent/base/log.h"
#include "agent/discover/collector.h"
#include "tests/agent/reader/reading_oracle.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;

constexpr size_t kFileBytes = size_t{32} << 20;  // all that the writer ever makes of it
constexpr int kMinPolls = 1500;
constexpr int kMaxPolls = 20000;
constexpr uint64_t kMinReadings = 30;
constexpr milliseconds kWriterDeadline{60000};
// One snapshot of 32 MiB of records, the one before it, and the copies while it is made; a
// sanitizer's run-time keeps freed memory for a while.
constexpr size_t kMaxGrowthBytes = size_t{768} << 20;

// What the two processes share besides the file.
struct Shared {
  std::atomic<uint64_t> rounds{0};
  std::atomic<uint64_t> truncations{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> stopped{false};
};

// The hostile process. Makes system calls only, as a fork of a process with threads must.
class HostileWriter {
 public:
  HostileWriter(const std::string& path, std::vector<uint8_t> valid) : valid_(std::move(valid)) {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(page, MAP_FAILED);
    shared_ = new (page) Shared();
    pid_ = ::fork();
    EXPECT_GE(pid_, 0);
    if (pid_ == 0) run(path.c_str());
    const auto end = std::chrono::steady_clock::now() + kWriterDeadline;
    while (shared_->rounds.load() == 0 && std::chrono::steady_clock::now() < end) ::usleep(1000);
    EXPECT_GT(shared_->rounds.load(), 0u) << "the writer did not start";
  }
  ~HostileWriter() {
    if (pid_ > 0) kill();
    ::munmap(shared_, 4096);
  }
  HostileWriter(const HostileWriter&) = delete;
  HostileWriter& operator=(const HostileWriter&) = delete;

  void kill() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "it ended before: " << status;
    pid_ = -1;
  }
  // Makes the segment valid again and leaves it so.
  void calm_down() {
    shared_->stop.store(true);
    const auto end = std::chrono::steady_clock::now() + kWriterDeadline;
    while (!shared_->stopped.load() && std::chrono::steady_clock::now() < end) ::usleep(1000);
    EXPECT_TRUE(shared_->stopped.load());
  }
  const Shared& shared() const { return *shared_; }

 private:
  static inline int fd_ = -1;

  // Its own stores behind the end of the file: it makes the file longer and goes on.
  static void on_sigbus(int) {
    if (::ftruncate(fd_, kFileBytes) != 0) ::_exit(9);
  }

  uint64_t random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
  }
  uint64_t nonsense() {
    switch (random() % 6) {
      case 0:
        return 0;
      case 1:
        return UINT64_MAX;
      case 2:
        return random() % 4096;
      case 3:
        return random() % kFileBytes;
      case 4:
        return random() << 32 | 1;
      default:
        return random();
    }
  }
  void scribble(size_t from, size_t to, size_t words) {
    for (size_t i = 0; i < words; ++i) {
      const size_t at = from / 8 + random() % ((to - from) / 8);
      __atomic_store_n(words_ + at, nonsense(), __ATOMIC_RELAXED);
    }
  }
  // As the library grows: the entry, valid_bytes, then the count; but with any records.
  void grow() {
    auto* header = reinterpret_cast<liballoc_abi_header*>(words_);
    const uint64_t begin = valid_.size();
    const uint64_t bytes = (uint64_t{1} << (12 + random() % 13)) / 64 * 64;
    uint64_t count = header_.directory_count;
    auto* entries = reinterpret_cast<liballoc_abi_section*>(reinterpret_cast<uint8_t*>(words_) +
                                                            header_.directory_offset);
    liballoc_abi_section entry{};
    entry.kind = LIBALLOC_SECTION_SPANS;
    entry.extent = 1;
    entry.offset = begin;
    entry.stride = sizeof(liballoc_abi_span);
    entry.capacity = static_cast<uint32_t>(bytes / sizeof(liballoc_abi_span));
    entry.count = random() % (entry.capacity + 1);
    entries[count] = entry;
    __atomic_store_n(&header->valid_bytes, begin + bytes, __ATOMIC_RELEASE);
    __atomic_store_n(&header->directory_count, count + 1, __ATOMIC_RELEASE);
    scribble(begin, begin + bytes, 2000);
  }
  void restore() { std::memcpy(words_, valid_.data(), valid_.size()); }

  [[noreturn]] void run(const char* path) {
    fd_ = ::open(path, O_RDWR | O_CLOEXEC);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    struct sigaction action {};
    action.sa_handler = on_sigbus;
    if (fd_ < 0 || ::fcntl(fd_, F_OFD_SETLK, &lock) != 0 ||
        ::sigaction(SIGBUS, &action, nullptr) != 0) {
      ::_exit(3);
    }
    void* map = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (map == MAP_FAILED) ::_exit(4);
    words_ = static_cast<uint64_t*>(map);
    std::memcpy(&header_, valid_.data(), sizeof(header_));
    const size_t records =
        header_.directory_offset + LIBALLOC_ABI_DIRECTORY_CAPACITY * sizeof(liballoc_abi_section);
    while (!shared_->stop.load(std::memory_order_relaxed)) {
      timespec now{};
      ::clock_gettime(CLOCK_MONOTONIC, &now);
      restore();
      // Long enough for several readings of each kind.
      switch (now.tv_nsec / 16000000 % 4) {
        case 0:
          scribble(records, valid_.size(), 500);
          break;
        case 1:
          scribble(0, valid_.size(), 500);
          break;
        case 2:
          grow();
          break;
        default:
          if (::ftruncate(fd_, static_cast<off_t>(random() % (2 * valid_.size()))) != 0) ::_exit(5);
          shared_->truncations.fetch_add(1, std::memory_order_relaxed);
          scribble(0, valid_.size(), 50);
      }
      shared_->rounds.fetch_add(1, std::memory_order_relaxed);
    }
    if (::ftruncate(fd_, 0) != 0 || ::ftruncate(fd_, kFileBytes) != 0) ::_exit(6);
    restore();
    shared_->stopped.store(true);
    for (;;) ::pause();
  }

  const std::vector<uint8_t> valid_;
  Shared* shared_ = nullptr;
  pid_t pid_ = -1;
  uint64_t* words_ = nullptr;
  liballoc_abi_header header_{};
  uint64_t random_ = 0x9e3779b97f4a7c15;
};

// A figure of /proc/self/status in bytes.
size_t status_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1)) * 1024;
  }
  ADD_FAILURE() << "no " << name;
  return 0;
}

bool is_mapped(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    if (line.find(path) != std::string::npos) return true;
  }
  return false;
}

uint64_t rejections(const CollectorStats& stats) {
  uint64_t sum = 0;
  for (const uint64_t n : stats.rejected) sum += n;
  return sum;
}

TEST(HostileWriterTest, ALiveSegmentFullOfNonsenseHurtsNobody) {
  set_log_level(LogLevel::kOff);
  const TempDir dir;
  SegmentBuilder b = full_builder();
  b.header.capacity_bytes = kFileBytes;
  b.header.created_realtime_ns =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                std::chrono::system_clock::now().time_since_epoch())
                                .count());
  const std::string path = b.write_file(dir.path());
  const std::string key = b.file_name();
  HostileWriter writer(path, b.bytes());

  CollectorOptions options;
  options.shm_dir = dir.path();
  options.interval = milliseconds(1);
  Registry registry;
  Collector collector(options, registry);
  // The high-water mark starts over from here.
  std::ofstream("/proc/self/clear_refs") << "5";
  const size_t memory_before = status_bytes("VmRSS");
  const auto started = collector.start();
  ASSERT_TRUE(started) << started.error().message;

  const auto end = std::chrono::steady_clock::now() + kWriterDeadline;
  uint64_t checked = 0;
  uint64_t last_epoch = 0;
  for (int poll = 0; poll < kMaxPolls && std::chrono::steady_clock::now() < end; ++poll) {
    ASSERT_TRUE(collector.collect_now("", kWriterDeadline));
    if (poll % 64 == 0) {
      ASSERT_FALSE(is_mapped(dir.path())) << "a mapped segment could be cut off: SIGBUS";
    }
    if (const auto snapshot = registry.find_key(key); snapshot != nullptr) {
      ASSERT_EQ(snapshot->state, ProcessState::kRunning);
      if (snapshot->memstats.epoch != last_epoch) {
        last_epoch = snapshot->memstats.epoch;
        SegmentReading reading;
        reading.snapshot = *snapshot;
        ASSERT_EQ(problem_of(reading, 2 * kFileBytes), "");
        ++checked;
      }
    }
    if (poll >= kMinPolls && checked >= kMinReadings && writer.shared().truncations.load() > 0 &&
        rejections(collector.stats()) >= 10) {
      break;
    }
  }
  // Both sides were seen, or nothing is shown.
  EXPECT_GE(checked, kMinReadings);
  EXPECT_GE(rejections(collector.stats()), 10u);
  EXPECT_GT(writer.shared().rounds.load(), 100u);
  EXPECT_GT(writer.shared().truncations.load(), 0u);
  const size_t peak = status_bytes("VmHWM");
  EXPECT_LT(peak, memory_before + kMaxGrowthBytes);
  RecordProperty("readings", std::to_string(checked));
  RecordProperty("rejections", std::to_string(rejections(collector.stats())));
  RecordProperty("rounds", std::to_string(writer.shared().rounds.load()));
  RecordProperty("growth_bytes", std::to_string(peak - std::min(peak, memory_before)));

  // What came before is not held against it.
  writer.calm_down();
  bool recovered = false;
  while (!recovered && std::chrono::steady_clock::now() < end) {
    ASSERT_TRUE(collector.collect_now("", kWriterDeadline));
    const auto snapshot = registry.find_key(key);
    if (snapshot == nullptr) continue;
    // A count of events that was nonsense may have taken the reader far ahead: that stays.
    const uint64_t ahead = snapshot->health.ring_read > snapshot->health.ring_events ? 1 : 0;
    recovered = snapshot->spans.size() == b.spans.size() &&
                snapshot->buckets.size() == b.buckets.size() &&
                snapshot->health.corrupt_records == ahead && snapshot->identity.service == "demo";
  }
  EXPECT_TRUE(recovered);
  writer.kill();
  ASSERT_TRUE(collector.collect_now("", kWriterDeadline));
  ASSERT_NE(registry.find_key(key), nullptr);
  EXPECT_EQ(registry.find_key(key)->state, ProcessState::kKilled);
  collector.stop();
  set_log_level(LogLevel::kInfo);
}

}  // namespace
}  // namespace liballoc::agent
