// segment_end_test.cc - what is left of a segment when its process ends, in each way that a process
// can end.
#include <csignal>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

class SegmentEndTest : public SegmentTest {};

TEST_F(SegmentEndTest, CleanExitRemovesTheFile) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const FileView file = view();
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  EXPECT_TRUE(dir_.files().empty());
  EXPECT_EQ(file.header().exit_state, uint64_t{LIBALLOC_EXIT_CLEAN});
  EXPECT_GE(file.header().exit_monotonic_ns, file.header().created_monotonic_ns);
}

TEST_F(SegmentEndTest, KeptFileSaysHowAndWhenTheProcessEnded) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  segment_->retire(LIBALLOC_EXIT_FAULT, true);
  ASSERT_EQ(dir_.files().size(), 1u);
  EXPECT_EQ(view().header().exit_state, uint64_t{LIBALLOC_EXIT_FAULT});
  EXPECT_NE(view().header().exit_monotonic_ns, 0u);
}

TEST_F(SegmentEndTest, FirstEndCounts) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  segment_->retire(LIBALLOC_EXIT_FAULT, true);
  const uint64_t when = view().header().exit_monotonic_ns;
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  EXPECT_EQ(view().header().exit_state, uint64_t{LIBALLOC_EXIT_FAULT});
  EXPECT_EQ(view().header().exit_monotonic_ns, when);
}

TEST_F(SegmentEndTest, StoresAfterTheEndDoNoHarm) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_thread* const block = enter_new_block(7, 8);
  ASSERT_NE(block, nullptr);
  const FileView file = view();
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  block->classes[3].frees = 99;
  segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, 2);
  for (int i = 0; i < 5000; i++) EXPECT_NE(segment_->add_span(), 0u);
  EXPECT_EQ(file.extents(LIBALLOC_SECTION_RING).at(0).count, 1u);
}

TEST_F(SegmentEndTest, FileThatTookOurNameIsNotRemoved) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const std::string name = segment_->path();
  ASSERT_EQ(unlink(name.c_str()), 0);
  close(open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  EXPECT_TRUE(std::filesystem::exists(name));
}

TEST_F(SegmentEndTest, VforkChildThatExitsDoesNotEndTheParentsSegment) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const pid_t child = vfork();
  if (child == 0) {
    segment_->retire(LIBALLOC_EXIT_CLEAN, false);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(dir_.files().size(), 1u);
  EXPECT_EQ(view().header().exit_state, uint64_t{LIBALLOC_EXIT_NONE});
}

// A process that makes a segment and then stays until it is killed; its file name comes through a
// pipe, as a line.
class OtherProcess {
 public:
  OtherProcess(const std::string& dir, const std::function<void()>& after_create) {
    int ends[2];
    if (pipe(ends) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      close(ends[0]);
      Segment segment;
      segment.create({.dir = dir.c_str()}, test_classes().data());
      after_create();
      const std::string path = std::string(segment.path()) + "\n";
      [[maybe_unused]] const ssize_t n = write(ends[1], path.data(), path.size());
      for (;;) pause();
    }
    close(ends[1]);
    for (char c; read(ends[0], &c, 1) == 1 && c != '\n';) path_ += c;
    close(ends[0]);
  }
  ~OtherProcess() { end(SIGKILL); }
  void end(int signal) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  const std::string& path() const { return path_; }

 private:
  pid_t pid_ = 0;
  std::string path_;
};

TEST_F(SegmentEndTest, KilledProcessLeavesItsFileUnlocked) {
  OtherProcess other(dir_.path(), [] {});
  ASSERT_TRUE(std::filesystem::exists(other.path()));
  EXPECT_TRUE(is_locked(other.path()));
  other.end(SIGKILL);
  EXPECT_TRUE(std::filesystem::exists(other.path()));
  EXPECT_FALSE(is_locked(other.path()));
  EXPECT_EQ(FileView(other.path()).header().exit_state, uint64_t{LIBALLOC_EXIT_NONE});
}

TEST_F(SegmentEndTest, LockEndsWithTheProcessThoughAChildLivesOn) {
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  OtherProcess other(dir_.path(), [&] {
    if (fork() != 0) return;
    close(gate[1]);  // the grandchild stays until the test closes its end
    char c;
    [[maybe_unused]] const ssize_t n = read(gate[0], &c, 1);
    _exit(0);
  });
  EXPECT_TRUE(is_locked(other.path()));
  other.end(SIGKILL);
  EXPECT_FALSE(is_locked(other.path()));
  close(gate[0]);
  close(gate[1]);
}

TEST_F(SegmentEndTest, ExecEndsTheLock) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    Segment segment;
    segment.create({.dir = dir_.path().c_str()}, test_classes().data());
    dup2(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
    execl("/bin/cat", "cat", static_cast<char*>(nullptr));  // until its input ends
    _exit(1);
  }
  close(ends[0]);
  const std::string exe = "/proc/" + std::to_string(child) + "/comm";
  std::string command;
  for (int i = 0; i < 5000 && command != "cat\n";
       i++) {  // bounded polling: the exec has happened when its name shows
    usleep(1000);
    char text[64] = {};
    const int fd = open(exe.c_str(), O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) command = text;
    close(fd);
  }
  ASSERT_EQ(command, "cat\n");
  ASSERT_EQ(dir_.files().size(), 1u);
  // The kernel drops the old image's files when the new one first returns to user mode: shortly after its name shows.
  bool locked = true;
  for (int i = 0; i < 5000 && locked; i++) {
    locked = is_locked(dir_.path() + "/" + dir_.files()[0]);
    if (locked) usleep(1000);
  }
  EXPECT_FALSE(locked);
  close(ends[1]);
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace liballoc
