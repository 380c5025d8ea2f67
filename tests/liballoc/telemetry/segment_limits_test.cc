// segment_limits_test.cc - little room: resource limits, full file systems, old kernels. The
// program must never notice.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

// A tmpfs of a given size over the test's directory, for as long as this lives.
class SmallFileSystem {
 public:
  SmallFileSystem(const std::string& at, const std::string& size) : at_(at) {
    mounted_ =
        geteuid() == 0 && mount("none", at_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallFileSystem() {
    if (mounted_) umount2(at_.c_str(), MNT_DETACH);
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  bool mounted() const { return mounted_; }
  uint64_t free_bytes() const {
    struct statvfs s {};
    statvfs(at_.c_str(), &s);
    return uint64_t{s.f_bfree} * s.f_bsize;
  }
  // Leaves no byte free, until empty().
  bool fill() const {
    const int fd = open(filler().c_str(), O_CREAT | O_RDWR, 0600);
    const bool filled = fallocate(fd, 0, 0, static_cast<off_t>(free_bytes())) == 0;
    close(fd);
    return filled;
  }
  bool empty() const { return unlink(filler().c_str()) == 0; }

 private:
  std::string filler() const { return at_ + "/filler"; }

  std::string at_;
  bool mounted_;
};

class SegmentLimitsTest : public SegmentTest {};

// Addresses that this process has mapped.
uint64_t mapped_bytes() {
  FILE* f = fopen("/proc/self/statm", "r");
  unsigned long pages = 0;
  if (fscanf(f, "%lu", &pages) != 1) pages = 0;
  fclose(f);
  return uint64_t{pages} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// A sanitizer maps terabytes, for which no limit can be set. Asked in a child, which does not have
// the segments of earlier tests.
bool sanitizer_maps_too_much() {
  return in_child([] { return mapped_bytes() > uint64_t{512} << 20; });
}

TEST_F(SegmentLimitsTest, CapacityIsThePowerOfTwoThatTheFileSizeLimitAllows) {
  ScopedLimit limit(RLIMIT_FSIZE, 48u << 20);
  ASSERT_EQ(create(),
            SegmentStatus::kOk);  // a ftruncate past the limit would have ended us by SIGXFSZ
  EXPECT_EQ(view().header().capacity_bytes, 32u << 20);
  EXPECT_EQ(std::filesystem::file_size(segment_->path()), 32u << 20);
}

TEST_F(SegmentLimitsTest, FileSizeLimitBelowTheLeastCapacityMeansNoSegment) {
  ScopedLimit limit(RLIMIT_FSIZE, (4u << 20) - 1);
  EXPECT_EQ(create(), SegmentStatus::kLimited);
  EXPECT_TRUE(dir_.files().empty());
}

TEST_F(SegmentLimitsTest, AddressSpaceLimitLeavesMostToTheProgram) {
  if (sanitizer_maps_too_much()) GTEST_SKIP() << "a sanitizer has mapped too much";
  EXPECT_TRUE(in_child([&] {
    ScopedLimit limit(RLIMIT_AS, rlim_t{1} << 30);
    return create() == SegmentStatus::kOk && view().header().capacity_bytes == 128u << 20;
  }));
  EXPECT_TRUE(in_child([&] {
    ScopedLimit limit(RLIMIT_AS, 16u << 20);
    return create() == SegmentStatus::kLimited;
  }));
}

TEST_F(SegmentLimitsTest, AddressesThatAreGoneMakeTheCapacitySmaller) {
  constexpr uint64_t kLimit = uint64_t{4} << 30, kLeft = uint64_t{100} << 20;
  if (sanitizer_maps_too_much()) GTEST_SKIP() << "a sanitizer has mapped too much";
  EXPECT_TRUE(in_child([&] {
    void* const filler = mmap(nullptr, kLimit - mapped_bytes() - kLeft, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (filler == MAP_FAILED) return false;
    ScopedLimit limit(RLIMIT_AS, kLimit);
    return create() == SegmentStatus::kOk && view().header().capacity_bytes == 64u << 20;
  }));
}

TEST_F(SegmentLimitsTest, WithoutAFreeDescriptorThereIsNoSegment) {
  EXPECT_TRUE(in_child([&] {
    // By itself: sanitizers look at objects with virtual functions through a pipe.
    Segment& segment = *segment_;
    const SegmentConfig config = {.dir = dir_.path().c_str()};
    const auto classes = test_classes();
    ScopedLimit limit(RLIMIT_NOFILE, 0);
    return segment.create(config, classes.data()) == SegmentStatus::kLimited && !segment.active();
  }));
}

TEST_F(SegmentLimitsTest, FileSystemTooSmallForTheBaseMeansNoSegmentAndNoFile) {
  SmallFileSystem fs(dir_.path(), "32k");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  const uint64_t before = fs.free_bytes();
  EXPECT_EQ(create(), SegmentStatus::kNoSpace);
  EXPECT_FALSE(segment_->active());
  EXPECT_TRUE(dir_.files().empty());
  EXPECT_EQ(fs.free_bytes(), before);
}

TEST_F(SegmentLimitsTest, FullFileSystemStopsGrowthWithoutASignal) {
  SmallFileSystem fs(dir_.path(), "512k");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(create(), SegmentStatus::kOk);
  uint32_t stored = 0, refused = 0;
  for (uint32_t i = 0; i < 20000; i++) {
    const uint32_t record = segment_->add_span();
    if (record == 0) {
      refused++;
      continue;
    }
    liballoc_abi_span span{};
    span.base = uint64_t{i} << 13;
    span.state = LIBALLOC_SPAN_FREE;
    segment_->write_span(record, span);
    stored++;
  }
  EXPECT_EQ(stored, Segment::kInitialSpans * 63);  // six extents fit
  const FileView file = view();
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_SPANS), refused);
  EXPECT_EQ(file.records<liballoc_abi_span>(LIBALLOC_SECTION_SPANS).size(), stored);
  EXPECT_GE(file.header().growth_failures, 1u);
  EXPECT_LE(file.header().growth_failures, 20u);  // not one try per record
  // The refused extent did not eat what was left.
  EXPECT_EQ(file.stored_bytes(), segment_->backed_bytes());
  EXPECT_EQ(fs.free_bytes(), 512u * 1024 - segment_->backed_bytes());
}

// The first of them takes the first space: see LabelTable.
TEST_F(SegmentLimitsTest, OnAFullFileSystemThereAreNoLabelsUntilThereIsSpace) {
  SmallFileSystem fs(dir_.path(), "1m");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(create(), SegmentStatus::kOk);
  ASSERT_TRUE(fs.fill());
  const liballoc_abi_label label = {0, 1, 1, "k", "v"};
  EXPECT_EQ(segment_->intern_labels(&label, 1), 0u);
  EXPECT_EQ(view().header().growth_failures, 1u);
  ASSERT_TRUE(fs.empty());
  uint64_t refused = 1;
  while (refused < 8 && segment_->intern_labels(&label, 1) == 0) refused++;
  EXPECT_EQ(segment_->intern_labels(&label, 1), 1u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_LABEL_SETS), refused) << "also from before there was a section to count in";
}

TEST_F(SegmentLimitsTest, GrowthGoesOnWhenThereIsSpaceAgain) {
  SmallFileSystem fs(dir_.path(), "1m");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(create(), SegmentStatus::kOk);
  ASSERT_TRUE(fs.fill());
  for (uint32_t i = 0; i < Segment::kInitialSpans; i++) ASSERT_NE(segment_->add_span(), 0u);
  for (int i = 0; i < 5; i++) EXPECT_EQ(segment_->add_span(), 0u);
  ASSERT_TRUE(fs.empty());
  bool again = false;
  for (int i = 0; i < 8 && !again; i++) again = segment_->add_span() != 0;
  EXPECT_TRUE(again);
}

TEST_F(SegmentLimitsTest, RingWithoutSpaceKeepsTheLastEventsThatItHasPagesFor) {
  SmallFileSystem fs(dir_.path(), "1m");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  ASSERT_EQ(create(), SegmentStatus::kOk);
  ASSERT_TRUE(fs.fill());
  uint64_t now_ns = 0;
  const auto emit = [&](uint64_t events) {
    for (uint64_t i = 0; i < events; i++) segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, now_ns += Ring::kShortRoundNs);
  };
  const auto expect_whole = [&](uint64_t events, uint64_t records) {
    const FileView file = view();
    const auto ring = file.ring();
    EXPECT_EQ(ring.count, events);
    EXPECT_EQ(FileView::ring_records(ring), records);
    file.expect_ring_holds_its_events();
  };
  constexpr uint64_t kEvents = 2 * Ring::kCapacity + 10;
  emit(kEvents);
  EXPECT_EQ(view().header().growth_failures, 2u) << "one try in 8192 events";
  expect_whole(kEvents, Ring::kFirstRecords);
  ASSERT_TRUE(fs.empty());
  emit(Ring::kCapacity);
  expect_whole(kEvents + Ring::kCapacity, Ring::kStepRecords);
}

TEST_F(SegmentLimitsTest, CapIsTheEndOfGrowth) {
  ASSERT_EQ(create_small(), SegmentStatus::kOk);
  uint32_t stored = 0;
  while (segment_->add_span() != 0) stored++;
  // 9 extents: the next would end past 4 MiB, of which the ring takes one.
  EXPECT_EQ(stored, Segment::kInitialSpans * ((1u << 9) - 1));
  const FileView file = view();
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_SPANS), 1u);
  EXPECT_EQ(file.header().growth_failures, 1u);
  EXPECT_LE(file.header().valid_bytes, file.header().capacity_bytes);
  EXPECT_LE(segment_->backed_bytes(), file.header().capacity_bytes);
}

// Makes the kernel older than it is: madvise knows nothing of MADV_POPULATE_READ and _WRITE.
bool forbid_populate() {
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 23, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof(code) / sizeof(code[0]), const_cast<sock_filter*>(code)};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(SegmentLimitsTest, KernelThatCannotPopulateGivesABaseThatDoesNotGrow) {
  EXPECT_TRUE(in_child([&] {
    if (!forbid_populate() || create() != SegmentStatus::kOk) return false;
    uint32_t stored = 0;
    while (segment_->add_span() != 0) stored++;
    const FileView file = view();
    return stored == Segment::kInitialSpans && file.header().growth_failures == 1 &&
           file.dropped(LIBALLOC_SECTION_SPANS) == 1 &&
           file.stored_bytes() == segment_->backed_bytes();
  }));
}

TEST_F(SegmentLimitsTest, KernelThatCannotPopulateAndAFullFileSystemMeanNoSegment) {
  SmallFileSystem fs(dir_.path(), "64k");
  if (!fs.mounted()) GTEST_SKIP() << "mounting needs root";
  EXPECT_TRUE(in_child([&] { return forbid_populate() && create() == SegmentStatus::kNoSpace; }));
  EXPECT_TRUE(dir_.files().empty());
}

TEST_F(SegmentLimitsTest, ProgramThatLocksItsMemoryDoesNotFillTheFile) {
  EXPECT_TRUE(in_child([&] {
    if (create() != SegmentStatus::kOk) return false;
    if (mlockall(MCL_CURRENT) != 0) return true;  // not allowed here
    return view().stored_bytes() == segment_->backed_bytes();
  }));
}

}  // namespace
}  // namespace liballoc
