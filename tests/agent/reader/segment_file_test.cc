// segment_file_test.cc - what is opened, what is refused, and how the lock tells life.
#include "agent/reader/segment_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "agent/reader/layout.h"
#include "tests/agent/reader/segment_builder.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

class SegmentFileTest : public testing::Test {
 protected:
  SegmentFileTest()
      : dir_fd_(::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        path_(b_.write_file(dir_.path())) {}
  ReadResult<SegmentFile> open(uid_t owner = ::geteuid()) {
    return SegmentFile::open_at(dir_fd_.value(), b_.file_name(), owner);
  }
  void expect_rejected(const ReadResult<SegmentFile>& file, Reject reason) {
    ASSERT_FALSE(file);
    EXPECT_EQ(reject_name(file.error().reason), reject_name(reason));
    EXPECT_FALSE(file.error().detail.empty());
  }
  TempDir dir_;
  UniqueFd dir_fd_;
  SegmentBuilder b_;
  std::string path_;
};

TEST_F(SegmentFileTest, OpensASegmentReadOnly) {
  const auto file = open();
  ASSERT_TRUE(file) << file.error().detail;
  EXPECT_EQ((*file).size().value(), LIBALLOC_ABI_CAPACITY_BYTES);
  EXPECT_TRUE(read_layout(*file));
  EXPECT_EQ((*file).id(), file_id_at(dir_fd_.value(), b_.file_name()));
}

TEST_F(SegmentFileTest, RefusesASymbolicLink) {
  const std::string target = dir_.path() + "/real";
  std::filesystem::rename(path_, target);
  ASSERT_EQ(::symlink(target.c_str(), path_.c_str()), 0);
  expect_rejected(open(), Reject::kOpenFailed);
}

TEST_F(SegmentFileTest, RefusesAMissingFile) {
  std::filesystem::remove(path_);
  expect_rejected(open(), Reject::kOpenFailed);
}

TEST_F(SegmentFileTest, RefusesADirectoryAndAFifoWithoutBlocking) {
  std::filesystem::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  expect_rejected(open(), Reject::kNotRegularFile);
  std::filesystem::remove(path_);
  std::filesystem::create_directory(path_);
  expect_rejected(open(), Reject::kNotRegularFile);
}

TEST_F(SegmentFileTest, RefusesAnotherOwnerUnlessWeAreRoot) {
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  expect_rejected(open(info.st_uid + 1), Reject::kWrongOwner);
  EXPECT_TRUE(open(0)) << "root reads every owner's segment";
}

TEST_F(SegmentFileTest, RefusesAnyRightOfGroupOrOthers) {
  for (const mode_t bit : {S_IRGRP, S_IWGRP, S_IXGRP, S_IROTH, S_IWOTH, S_IXOTH}) {
    ASSERT_EQ(::chmod(path_.c_str(), 0600 | bit), 0);
    expect_rejected(open(), Reject::kWrongMode);
  }
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_TRUE(open());
}

TEST_F(SegmentFileTest, RefusesSizesThatNoSegmentHas) {
  ASSERT_EQ(::truncate(path_.c_str(), 255), 0);
  expect_rejected(open(), Reject::kFileTooSmall);
  ASSERT_EQ(::truncate(path_.c_str(), off_t{2} << 30), 0);
  expect_rejected(open(), Reject::kFileTooLarge);
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  const auto file = open();
  ASSERT_TRUE(file) << "just created, not yet sized";
  EXPECT_EQ(read_layout(*file).error().reason, Reject::kIncomplete);
}

TEST_F(SegmentFileTest, AFileThatShrinksIsAnErrorNotASignal) {
  const auto file = open();
  ASSERT_TRUE(file);
  ASSERT_EQ(::truncate(path_.c_str(), 4096), 0);
  std::array<uint8_t, 64> bytes;
  const auto read = (*file).read_at(8192, bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().reason, Reject::kTruncated);
  EXPECT_EQ(read_layout(*file).error().reason, Reject::kTruncated);
}

TEST_F(SegmentFileTest, ReadsOnAfterTheFileWasUnlinked) {
  const auto file = open();
  ASSERT_TRUE(file);
  std::filesystem::remove(path_);
  EXPECT_TRUE(read_layout(*file));
}

// The library closes its descriptor: the mapping alone must keep the lock.
TEST_F(SegmentFileTest, SeesALockThatOnlyAMappingHolds) {
  const auto file = open();
  ASSERT_TRUE(file);
  EXPECT_EQ((*file).locked(), false);
  void* map = nullptr;
  {
    const UniqueFd writer(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    ASSERT_EQ(::fcntl(writer.value(), F_OFD_SETLK, &lock), 0);
    map = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, writer.value(), 0);
    ASSERT_NE(map, MAP_FAILED);
  }
  EXPECT_EQ((*file).locked(), true);
  ASSERT_EQ(::munmap(map, 4096), 0);
  EXPECT_EQ((*file).locked(), false);
}

}  // namespace
}  // namespace liballoc::agent
