// segment_create_test.cc - how a segment comes to be: name, mode, lock, size, header, and every way
// to be refused.
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <cerrno>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

size_t open_descriptors() {
  size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    n++;
  return n;
}

uint64_t own_start_ticks_by_sscanf() {
  FILE* f = fopen("/proc/self/stat", "r");
  char text[2048] = {};
  const size_t n = fread(text, 1, sizeof(text) - 1, f);
  fclose(f);
  text[n] = '\0';
  unsigned long long ticks = 0;
  EXPECT_EQ(
      sscanf(strrchr(text, ')') + 2,
             "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
             &ticks),
      1);
  return ticks;
}

class SegmentCreateTest : public SegmentTest {};

TEST_F(SegmentCreateTest, FileIsNamedByPidAndStartTime) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const std::string name =
      "liballoc." + std::to_string(getpid()) + "." + std::to_string(own_start_ticks_by_sscanf());
  EXPECT_EQ(dir_.files(), std::vector<std::string>{name});
  EXPECT_EQ(segment_->path(), dir_.path() + "/" + name);
  EXPECT_TRUE(segment_->active());
}

TEST_F(SegmentCreateTest, FileIsOursAloneWhateverTheUmask) {
  for (const mode_t mask : {0777u, 0u}) {
    TempDir dir;
    Segment segment;
    const mode_t before = umask(mask);
    const SegmentStatus status = segment.create({.dir = dir.path().c_str()}, test_classes().data());
    umask(before);
    ASSERT_EQ(status, SegmentStatus::kOk);
    struct stat st {};
    ASSERT_EQ(stat(segment.path(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777, 0600u);
    EXPECT_EQ(st.st_uid, geteuid());
    segment.retire(LIBALLOC_EXIT_CLEAN, false);
  }
}

TEST_F(SegmentCreateTest, FileIsSparseAndBackedToItsBase) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  struct stat st {};
  ASSERT_EQ(stat(segment_->path(), &st), 0);
  EXPECT_EQ(static_cast<uint64_t>(st.st_size), LIBALLOC_ABI_CAPACITY_BYTES);
  const FileView file = view();
  EXPECT_EQ(file.stored_bytes(), segment_->backed_bytes());
  EXPECT_LE(file.stored_bytes(), 128u * 1024);
  // All that is described is backed, but for the part of the ring that it has not grown to.
  const uint64_t hole = (Ring::kCapacity - Ring::kFirstRecords) * sizeof(liballoc_abi_record);
  EXPECT_LE(file.header().valid_bytes, file.stored_bytes() + hole);
}

TEST_F(SegmentCreateTest, NoDescriptorAndNoErrnoIsLeftBehind) {
  const size_t before = open_descriptors();
  errno = 4711;
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(errno, 4711);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(SegmentCreateTest, LockIsHeldThoughTheDescriptorIsClosed) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_TRUE(is_locked(segment_->path()));
}

TEST_F(SegmentCreateTest, HeaderDescribesTheProcess) {
  timespec before{};
  clock_gettime(CLOCK_REALTIME, &before);
  ASSERT_EQ(create({.forked_from = 4242}), SegmentStatus::kOk);
  const liballoc_abi_header h = view().header();
  EXPECT_EQ(h.magic, LIBALLOC_ABI_MAGIC);
  EXPECT_EQ(h.major, LIBALLOC_ABI_MAJOR);
  EXPECT_EQ(h.minor, LIBALLOC_ABI_MINOR);
  EXPECT_EQ(h.header_bytes, sizeof(liballoc_abi_header));
  EXPECT_EQ(h.capacity_bytes, LIBALLOC_ABI_CAPACITY_BYTES);
  EXPECT_EQ(h.pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(h.uid, getuid());
  EXPECT_EQ(h.start_ticks, own_start_ticks_by_sscanf());
  EXPECT_EQ(h.page_bytes, 8192u);
  EXPECT_EQ(h.arena_bytes, 67108864u);
  EXPECT_EQ(h.exit_state, uint64_t{LIBALLOC_EXIT_NONE});
  EXPECT_EQ(h.forked_from, 4242u);
  EXPECT_EQ(h.growth_failures, 0u);
  struct stat ns {};
  ASSERT_EQ(stat("/proc/self/ns/pid", &ns), 0);
  EXPECT_EQ(h.pid_namespace, ns.st_ino);
  const uint64_t before_ns =
      static_cast<uint64_t>(before.tv_sec) * 1000000000u + static_cast<uint64_t>(before.tv_nsec);
  EXPECT_GE(h.created_realtime_ns, before_ns);
  EXPECT_NE(h.created_monotonic_ns, 0u);
  EXPECT_LE(h.start_realtime_ns, h.created_realtime_ns);
  EXPECT_GT(h.start_realtime_ns,
            h.created_realtime_ns - uint64_t{3600} * 1000000000u);  // this test is no older
}

TEST_F(SegmentCreateTest, IdentityNamesTheProgram) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const FileView file = view();
  const auto identities = file.records<liballoc_abi_identity>(LIBALLOC_SECTION_IDENTITY);
  ASSERT_EQ(identities.size(), 1u);
  const liballoc_abi_identity& who = identities[0];
  const std::string executable = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_EQ(who.executable, executable);
  EXPECT_EQ(who.service, executable.substr(executable.rfind('/') + 1));
  EXPECT_STREQ(who.version, LIBALLOC_VERSION);
  utsname host{};
  ASSERT_EQ(uname(&host), 0);
  EXPECT_STREQ(who.hostname, host.nodename);
  FILE* f = fopen("/proc/self/cmdline", "r");
  char text[4096] = {};
  const size_t n = fread(text, 1, sizeof(who.command_line) - 1, f);
  fclose(f);
  EXPECT_EQ(std::string(who.command_line, who.command_line_bytes),
            std::string(text, n > 0 && text[n - 1] == 0 ? n - 1 : n));
}

TEST_F(SegmentCreateTest, ServiceNameOfTheConfigurationWins) {
  const std::string longer(1000, 's');
  ASSERT_EQ(create({.service = longer.c_str()}), SegmentStatus::kOk);
  const FileView file = view();
  EXPECT_EQ(file.records<liballoc_abi_identity>(LIBALLOC_SECTION_IDENTITY).at(0).service,
            std::string(255, 's'));
}

TEST_F(SegmentCreateTest, SectionsLieApartAlignedAndBelowValidBytes) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const FileView file = view();
  const liballoc_abi_header h = file.header();
  uint64_t end =
      h.directory_offset + LIBALLOC_ABI_DIRECTORY_CAPACITY * sizeof(liballoc_abi_section);
  EXPECT_EQ(h.directory_count, 13u);
  for (uint64_t i = 0; i < h.directory_count; i++) {
    const auto entry = file.at<liballoc_abi_section>(h.directory_offset + i * h.directory_stride);
    EXPECT_EQ(entry.offset % 64, 0u);
    EXPECT_GE(entry.offset, end);
    end = entry.offset + uint64_t{entry.stride} * entry.capacity;
    EXPECT_EQ(entry.extent, 0u);
    EXPECT_LE(end, h.valid_bytes);
  }
  const auto classes = file.records<liballoc_abi_size_class>(LIBALLOC_SECTION_SIZE_CLASSES);
  ASSERT_EQ(classes.size(), size_t{LIBALLOC_ABI_SIZE_CLASSES});
  EXPECT_EQ(classes.back().object_bytes, 16u * (LIBALLOC_ABI_SIZE_CLASSES - 1));
}

TEST_F(SegmentCreateTest, MemstatsShowThePeriodBeforeTheFirstPublication) {
  ASSERT_EQ(create({.sample_period = 524288}), SegmentStatus::kOk);
  const auto stats = view().records<liballoc_abi_memstats>(LIBALLOC_SECTION_MEMSTATS);
  ASSERT_EQ(stats.size(), 1u);
  EXPECT_EQ(stats[0].sample_period, 524288u);
  EXPECT_EQ(stats[0].sequence % 2, 0u);
}

TEST_F(SegmentCreateTest, WithoutADirectoryThereIsNoSegment) {
  EXPECT_EQ(segment_->create({.dir = nullptr}, test_classes().data()), SegmentStatus::kDisabled);
  EXPECT_EQ(segment_->create({.dir = ""}, test_classes().data()), SegmentStatus::kDisabled);
  EXPECT_EQ(create({.dir = "/dev/shm/no-such-directory-of-liballoc"}), SegmentStatus::kNoDirectory);
  EXPECT_EQ(create({.dir = "relative"}), SegmentStatus::kNoDirectory);
  EXPECT_EQ(create({.dir = "/proc/self/exe"}), SegmentStatus::kNoDirectory);
  EXPECT_EQ(create({.dir = ("/" + std::string(600, 'x')).c_str()}), SegmentStatus::kNoDirectory);
  EXPECT_FALSE(segment_->active());
}

TEST_F(SegmentCreateTest, WithoutASegmentEveryMethodIsANoOp) {
  const uintptr_t pcs[] = {1, 2};
  EXPECT_EQ(segment_->add_thread_block(), nullptr);
  segment_->enter_thread_block(nullptr, 1, 2);
  segment_->leave_thread_block(nullptr);
  EXPECT_EQ(segment_->add_span(), 0u);
  segment_->write_span(1, {});
  segment_->set_span_allocated(1, 2);
  segment_->remove_span(1);
  EXPECT_EQ(segment_->intern_stack(pcs, 2, false, 3, 4), 0u);
  liballoc_abi_sample sample{};
  sample.address = 64;
  EXPECT_EQ(segment_->add_sample(&sample, 2), 0u);
  EXPECT_FALSE(segment_->remove_sample(1, 2, 3, nullptr));
  EXPECT_EQ(segment_->sample(1), nullptr);
  segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, 2);
  segment_->publish_memstats({});
  segment_->record_fault({});
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  segment_->lock_for_fork();
  segment_->unlock_after_fork();
  EXPECT_EQ(segment_->backed_bytes(), 0u);
  EXPECT_EQ(segment_->private_bytes(), 0u);
  EXPECT_STREQ(segment_->path(), "");
}

TEST_F(SegmentCreateTest, UnwritableDirectoryIsNamed) {
  ASSERT_EQ(chmod(dir_.path().c_str(), 0555), 0);
  EXPECT_TRUE(in_child([&] {
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
      return false;  // root may write anywhere
    return create() == SegmentStatus::kNoPermission && !segment_->active();
  }));
  EXPECT_TRUE(dir_.files().empty());
}

TEST_F(SegmentCreateTest, ReadOnlyFileSystemIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting needs root";
  if (mount("none", dir_.path().c_str(), "tmpfs", MS_RDONLY, "size=1m") != 0)
    GTEST_SKIP() << "mounting is not allowed";
  EXPECT_EQ(create(), SegmentStatus::kNoPermission);
  umount2(dir_.path().c_str(), MNT_DETACH);
}

TEST_F(SegmentCreateTest, SymlinkInPlaceOfTheFileIsNotFollowed) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const std::string name = segment_->path();
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  const std::string target = dir_.path() + "/target";
  FILE* f = fopen(target.c_str(), "w");
  ASSERT_EQ(fwrite("precious", 1, 8, f), 8u);
  fclose(f);
  ASSERT_EQ(symlink(target.c_str(), name.c_str()), 0);
  Segment second;
  ASSERT_EQ(second.create({.dir = dir_.path().c_str()}, test_classes().data()), SegmentStatus::kOk);
  EXPECT_EQ(second.path(), name + ".1");
  EXPECT_EQ(std::filesystem::file_size(target), 8u);
  EXPECT_TRUE(std::filesystem::is_symlink(name));
}

TEST_F(SegmentCreateTest, UnlockedFileOfOurNameIsOurImageBeforeAnExecAndGoesAway) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const std::string name = segment_->path();
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  const int fd = open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  ASSERT_GE(fd, 0);
  struct stat old {};
  fstat(fd, &old);
  Segment second;
  ASSERT_EQ(second.create({.dir = dir_.path().c_str()}, test_classes().data()), SegmentStatus::kOk);
  EXPECT_EQ(second.path(), name);
  struct stat gone {};
  fstat(fd, &gone);
  EXPECT_EQ(gone.st_nlink, 0u);
  close(fd);
}

TEST_F(SegmentCreateTest, OurImageBeforeAnExecIsMarkedAsEndedCleanlyUnlessItSaidOtherwise) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const std::string name = segment_->path();
  segment_->retire(LIBALLOC_EXIT_CLEAN, false);
  for (const uint64_t said : {LIBALLOC_EXIT_NONE, LIBALLOC_EXIT_FAULT}) {
    const int fd = open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
    ASSERT_GE(fd, 0);
    liballoc_abi_header header{};
    header.exit_state = said;
    ASSERT_EQ(pwrite(fd, &header, sizeof(header), 0), ssize_t{sizeof(header)});
    Segment next;
    ASSERT_EQ(next.create({.dir = dir_.path().c_str()}, test_classes().data()), SegmentStatus::kOk);
    ASSERT_EQ(pread(fd, &header, sizeof(header), 0), ssize_t{sizeof(header)});
    EXPECT_EQ(header.exit_state, said == LIBALLOC_EXIT_NONE ? uint64_t{LIBALLOC_EXIT_CLEAN} : said);
    next.retire(LIBALLOC_EXIT_CLEAN, false);
    close(fd);
  }
}

TEST_F(SegmentCreateTest, NameTakenByALiveProcessGetsASuffix) {
  ASSERT_EQ(create(),
            SegmentStatus::kOk);  // holds the name, as a process of another PID namespace would
  const std::string name = segment_->path();
  std::vector<std::unique_ptr<Segment>> others;
  for (int i = 1; i <= 8; i++) {
    others.push_back(std::make_unique<Segment>());
    ASSERT_EQ(others.back()->create({.dir = dir_.path().c_str()}, test_classes().data()),
              SegmentStatus::kOk);
    EXPECT_EQ(others.back()->path(), name + "." + std::to_string(i));
  }
  Segment one_too_many;
  EXPECT_EQ(one_too_many.create({.dir = dir_.path().c_str()}, test_classes().data()),
            SegmentStatus::kFailed);
  EXPECT_FALSE(one_too_many.active());
  EXPECT_EQ(dir_.files().size(), 9u);
}

}  // namespace
}  // namespace liballoc
