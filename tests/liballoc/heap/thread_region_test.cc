// thread_region_test.cc - bins and counters at their distance, wherever a block lies, and what a fork leaves of it.
#include "liballoc/heap/thread_region.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {
namespace {

class ThreadRegionTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(thread_region_init(*state_, stat_)); }
  // As if the block lay so many bytes into its page.
  static liballoc_abi_thread* block_at(size_t in_page) {
    return reinterpret_cast<liballoc_abi_thread*>((uintptr_t{1} << 40) + in_page);
  }
  void expect_counters_of(liballoc_abi_thread* block) {
    for (unsigned c = 0; c < kCacheClasses; c++) {
      ASSERT_EQ(&counter_beside(state_->cache->bins[c]), &block->classes[c]) << c;
    }
  }
  // A view as core/ makes them: not there in a child.
  static void map_view(RegionView view) {
    void* const at = mmap(view.at, view.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    ASSERT_EQ(at, view.at);
    ASSERT_EQ(madvise(at, view.bytes, MADV_DONTFORK), 0);
  }
  template <typename Body>
  static int exit_code_in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  RelaxedCounter stat_;
  std::unique_ptr<ThreadState> state_{new ThreadState()};
};

TEST_F(ThreadRegionTest, ANewRegionHasTheCountersOfABlockOfItsOwnAllZero) {
  EXPECT_EQ(stat_.load(), thread_region_bytes());
  liballoc_abi_thread* const block = thread_region_block(*state_);
  expect_counters_of(block);
  static const liballoc_abi_thread kZero{};
  EXPECT_EQ(memcmp(block, &kZero, sizeof(kZero)), 0);
}

TEST_F(ThreadRegionTest, ABinAndItsCounterShareNoSetOfTheFirstLevelCache) {
  for (unsigned c = 0; c < kCacheClasses; c++) {
    const Bin& bin = state_->cache->bins[c];
    const uintptr_t counter = reinterpret_cast<uintptr_t>(&counter_beside(bin));
    EXPECT_NE(counter / kCacheLineBytes % 64, reinterpret_cast<uintptr_t>(&bin) / kCacheLineBytes % 64);
  }
}

TEST_F(ThreadRegionTest, BinsMoveToWhereABlocksCountersAreBesideThemWithWhatTheyHold) {
  const size_t page = system_page_bytes();
  int objects[8];
  Bin& bin = state_->cache->bins[9];
  bin.limit = bin.base + 8;
  for (int& o : objects) *bin.top++ = &o;
  state_->cache->state = state_.get();
  for (size_t in_page = 0; in_page < page; in_page += kCacheLineBytes) {
    const RegionView view = thread_region_make_way(*state_, block_at(in_page));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(view.at) % page, 0u);
    ASSERT_EQ(view.bytes % page, 0u);
    auto* const block = reinterpret_cast<liballoc_abi_thread*>(view.at + in_page);
    expect_counters_of(block);
    ASSERT_GE(view.bytes, in_page + sizeof(*block)) << "all of the block is in view";
    const auto* const cache = reinterpret_cast<const std::byte*>(state_->cache);
    ASSERT_TRUE(cache >= state_->region && cache + sizeof(ThreadCache) <= view.at) << "bins lie before the view";
    ASSERT_GE(reinterpret_cast<std::byte*>(state_->few), view.at + view.bytes) << "and their slots behind";
    memset(static_cast<void*>(view.at), 0xff, view.bytes);
    ASSERT_EQ(state_->cache->state, state_.get());
    const Bin& now = state_->cache->bins[9];
    ASSERT_EQ(now.top - now.base, 8);
    for (int i = 0; i < 8; i++) ASSERT_EQ(now.base[i], &objects[i]);
  }
}

TEST_F(ThreadRegionTest, AChildsRegionIsMendedAndItsCountersAreZero) {
  const RegionView view = thread_region_make_way(*state_, block_at(640));
  map_view(view);
  thread_region_block(*state_)->classes[3].frees = 77;
  EXPECT_EQ(exit_code_in_child([&] {
              if (!thread_region_mend(*state_)) return 1;
              if (thread_region_block(*state_)->classes[3].frees != 0) return 2;
              thread_region_block(*state_)->classes[3].frees = 5;
              return thread_region_mend(*state_) && thread_region_block(*state_)->classes[3].frees == 5 ? 0 : 3;
            }),
            0);
  EXPECT_EQ(thread_region_block(*state_)->classes[3].frees, 77u);
}

TEST_F(ThreadRegionTest, WhatOthersMappedInAChildBeforeItWasMendedStaysTheirs) {
  const RegionView view = thread_region_make_way(*state_, block_at(0));
  map_view(view);
  EXPECT_EQ(exit_code_in_child([&] {
              void* const other = mmap(view.at, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
              if (other != view.at) return 1;
              memset(other, 0x5a, 4096);
              if (thread_region_mend(*state_)) return 2;
              return static_cast<unsigned char*>(other)[100] == 0x5a ? 0 : 3;
            }),
            0);
}

TEST_F(ThreadRegionTest, WithoutMemoryARegionIsNotMended) {
  const RegionView view = thread_region_make_way(*state_, block_at(0));
  map_view(view);
  EXPECT_EQ(exit_code_in_child([&] {
              static OsOps poor = kLinuxOs;
              poor.fill = [](void*, size_t) -> long { return -12; };
              set_os_ops_for_test(&poor);
              return thread_region_mend(*state_) ? 1 : 0;
            }),
            0);
}

}  // namespace
}  // namespace liballoc
