// segment_fork_test.cc - the child of a fork has a segment of its own and can never touch its
// parent's.
#include <sys/mman.h>

#include <thread>

#include "liballoc/os/sys_mem.h"
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

class SegmentForkTest : public SegmentTest {
 protected:
  void fill() {
    const uintptr_t pcs[] = {0x1000, 0x2000, 0x3000};
    stack_ = segment_->intern_stack(pcs, 3, false, 77, 1);
    liballoc_abi_sample sample{};
    sample.address = 0xabc0;
    sample.allocated_bytes = 64;
    sample.period = 1024;
    sample.stack = stack_;
    sample_ = segment_->add_sample(&sample, 5);
    span_ = segment_->add_span();
  }
  uint32_t stack_ = 0, sample_ = 0, span_ = 0;
};

TEST_F(SegmentForkTest, ChildDoesNotHaveTheMapping) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_thread* const block = enter_new_block(1, 1);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(in_child([&] {
    const auto page = reinterpret_cast<uintptr_t>(block) & ~uintptr_t{4095};
    unsigned char resident;
    return mincore(reinterpret_cast<void*>(page), 4096, &resident) !=
           0;  // ENOMEM: nothing is mapped there
  }));
}

TEST_F(SegmentForkTest, ChildMakesASegmentOfItsOwn) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  fill();
  const FileView parent_file = view();
  const std::string parent_path = segment_->path();
  segment_->lock_for_fork();
  const bool ok = in_child([&] {
    reset_lock_ranks_after_fork();
    segment_->forget_after_fork();
    if (segment_->active() || segment_->add_span() != 0 || segment_->private_bytes() != 0)
      return false;
    if (create({.forked_from = static_cast<uint64_t>(getppid())}) != SegmentStatus::kOk)
      return false;
    if (segment_->path() == parent_path || !is_locked(segment_->path())) return false;
    const FileView file = view();
    if (file.header().pid != static_cast<uint32_t>(getpid())) return false;
    if (file.header().forked_from != static_cast<uint64_t>(getppid())) return false;
    // Indexes start from nothing: the same stack is record 1 again, with its frames in the new
    // file.
    const uintptr_t pcs[] = {0x1000, 0x2000, 0x3000};
    if (segment_->intern_stack(pcs, 3, false, 77, 1) != 1) return false;
    if (file.records<liballoc_abi_frame>(LIBALLOC_SECTION_FRAMES).size() != 3) return false;
    if (segment_->sample(1) != nullptr) return false;
    segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, 2);
    segment_->retire(LIBALLOC_EXIT_CLEAN, false);
    return true;
  });
  segment_->unlock_after_fork();
  EXPECT_TRUE(ok);
  EXPECT_TRUE(is_locked(parent_path));
  EXPECT_EQ(parent_file.header().pid, static_cast<uint32_t>(getpid()));
  EXPECT_EQ(parent_file.extents(LIBALLOC_SECTION_RING).at(0).count, 1u);
  EXPECT_EQ(parent_file.header().exit_state, uint64_t{LIBALLOC_EXIT_NONE});
  EXPECT_EQ(dir_.files().size(), 1u);
}

TEST_F(SegmentForkTest, ChildGivesThePrivateIndexesBack) {
  const uint64_t before = sys_mem_stats().ready_bytes.load();
  ASSERT_EQ(create(), SegmentStatus::kOk);
  fill();
  EXPECT_EQ(sys_mem_stats().ready_bytes.load(), before + segment_->private_bytes());
  EXPECT_GT(segment_->private_bytes(), 0u);
  segment_->lock_for_fork();
  const bool ok = in_child([&] {
    segment_->forget_after_fork();
    return sys_mem_stats().ready_bytes.load() == before;
  });
  segment_->unlock_after_fork();
  EXPECT_TRUE(ok);
}

// The handlers did not run (a raw clone): the locks are held by a thread that the child does not
// have.
TEST_F(SegmentForkTest, ChildOfARawCloneCanStartAfresh) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  fill();
  segment_->lock_for_fork();
  const bool ok = in_child([&] {
    bool done = false;
    std::thread([&] {  // does not hold the locks, as the child's only thread would not
      reset_lock_ranks_after_fork();
      segment_->forget_after_fork();
      if (create() != SegmentStatus::kOk) return;
      fill();
      done = stack_ == 1 && sample_ == 1 && span_ == 1;
      segment_->retire(LIBALLOC_EXIT_CLEAN, false);
    })
        .join();
    return done;
  });
  segment_->unlock_after_fork();
  EXPECT_TRUE(ok);
}

TEST_F(SegmentForkTest, ParentGoesOnAfterTheFork) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  fill();
  segment_->lock_for_fork();
  EXPECT_TRUE(in_child([] { return true; }));
  segment_->unlock_after_fork();
  EXPECT_EQ(segment_->add_span(), span_ + 1);
  EXPECT_TRUE(segment_->remove_sample(sample_, 1, 2, nullptr));
  segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, 2);
  EXPECT_EQ(view().extents(LIBALLOC_SECTION_RING).at(0).count, 3u) << "the sample, its end, and this";
}

}  // namespace
}  // namespace liballoc
