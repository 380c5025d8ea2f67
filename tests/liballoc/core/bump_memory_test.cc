// bump_memory_test.cc - memory that is handed out once: chunks that grow, headers that tell a block's begin, refusals.
#include "liballoc/core/bump_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "liballoc/os/os.h"

namespace liballoc {
namespace {

TEST(BumpMemoryTest, ChunksDoubleUpToTheLargest) {
  BumpMemory memory(64 << 10, 256 << 10);
  uint64_t last = 0;
  std::vector<uint64_t> chunks;
  for (int i = 0; i < 1000; i++) {
    ASSERT_NE(memory.allocate(1000, 16), nullptr);
    if (memory.sys_bytes() != last) chunks.push_back(memory.sys_bytes() - last);
    last = memory.sys_bytes();
  }
  EXPECT_EQ(chunks, (std::vector<uint64_t>{64 << 10, 128 << 10, 256 << 10, 256 << 10, 256 << 10, 256 << 10}));
}

TEST(BumpMemoryTest, HeadersAreFoundAtTheBeginOfABlockOnly) {
  BumpMemory memory(64 << 10, 64 << 10);
  auto* p = static_cast<char*>(memory.allocate(1000, 64, 42));
  memset(p, 0x5a, 1000);
  ASSERT_NE(memory.header_of(p), nullptr);
  EXPECT_EQ(memory.header_of(p)->bytes, 1000u);
  EXPECT_EQ(memory.header_of(p)->tag.load(), 42u);
  for (int i = 1; i < 1000; i++) EXPECT_EQ(memory.header_of(p + i), nullptr) << i;
  EXPECT_TRUE(memory.contains(p + 999));
  int local = 0;
  EXPECT_FALSE(memory.contains(&local));
}

TEST(BumpMemoryTest, WhenALargeChunkIsRefusedASmallOneDoes) {
  BumpMemory memory(64 << 10, 64 << 20);
  ASSERT_NE(memory.allocate(100, 16), nullptr);
  OsOps poor = kLinuxOs;
  poor.alloc = [](size_t n, void** out) -> long { return n > 65536 ? -12 : kLinuxOs.alloc(n, out); };
  set_os_ops_for_test(&poor);
  void* fits = memory.allocate(60000, 16);
  void* does_not = memory.allocate(1 << 20, 16);
  set_os_ops_for_test(nullptr);
  EXPECT_NE(fits, nullptr);
  EXPECT_EQ(does_not, nullptr);
}

}  // namespace
}  // namespace liballoc
