// private_index_test.cc - the hash index and the free-record stack, also when the OS refuses
// memory.
#include "liballoc/telemetry/private_index.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {
namespace {

// From here on the OS refuses private memory.
class NoMemory {
 public:
  NoMemory() {
    ops_ = kLinuxOs;
    ops_.alloc = [](size_t, void**) -> long { return -ENOMEM; };
    set_os_ops_for_test(&ops_);
  }
  ~NoMemory() { set_os_ops_for_test(nullptr); }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;

 private:
  OsOps ops_;
};

TEST(HashIndexTest, FindsEveryRecordAcrossGrowth) {
  HashIndex index;
  const auto hash_of = [](uint32_t record) { return uint64_t{record} * 0x9e3779b97f4a7c15; };
  EXPECT_EQ(index.find(1, [](uint32_t) { return true; }), HashIndex::kNone);
  for (uint32_t i = 0; i < 20000; i++) {
    ASSERT_TRUE(index.reserve());
    index.insert(hash_of(i), i);
  }
  for (uint32_t i = 0; i < 20000; i++) {
    ASSERT_EQ(index.find(hash_of(i), [&](uint32_t record) { return record == i; }), i);
  }
  EXPECT_EQ(index.find(hash_of(20000), [](uint32_t record) { return record == 20000; }),
            HashIndex::kNone);
  index.release();
  EXPECT_EQ(index.bytes(), 0u);
}

TEST(HashIndexTest, RecordsOfOneHashAreToldApartByTheCaller) {
  HashIndex index;
  for (uint32_t i = 0; i < 100; i++) {
    ASSERT_TRUE(index.reserve());
    index.insert(42, i);
  }
  for (uint32_t i = 0; i < 100; i++) {
    EXPECT_EQ(index.find(42, [&](uint32_t record) { return record == i; }), i);
  }
  EXPECT_EQ(index.find(42, [](uint32_t) { return false; }), HashIndex::kNone);
  index.release();
}

TEST(HashIndexTest, WithoutMemoryItFillsUpAndStillEndsItsSearches) {
  HashIndex index;
  {
    const NoMemory none;
    EXPECT_FALSE(index.reserve());
  }
  ASSERT_TRUE(index.reserve());
  const NoMemory none;
  uint32_t records = 0;
  while (index.reserve()) {
    index.insert(records * uint64_t{77}, records);
    records++;
    ASSERT_LT(records, 100000u);
  }
  EXPECT_GE(records, 1000u);
  EXPECT_EQ(index.find(1, [](uint32_t) { return false; }), HashIndex::kNone);
  EXPECT_EQ(index.find(77, [](uint32_t record) { return record == 1; }), 1u);
  index.release();
}

TEST(HashIndexTest, MemoryIsGivenBack) {
  const uint64_t before = sys_mem_stats().ready_bytes.load();
  HashIndex index;
  for (uint32_t i = 0; i < 5000; i++) {
    ASSERT_TRUE(index.reserve());
    index.insert(i, i);
  }
  EXPECT_EQ(sys_mem_stats().ready_bytes.load(),
            before + index.bytes());  // outgrown blocks are gone
  index.release();
  EXPECT_EQ(sys_mem_stats().ready_bytes.load(), before);
}

TEST(FreeRecordsTest, LastInFirstOutAcrossGrowth) {
  FreeRecords records;
  EXPECT_EQ(records.pop(), FreeRecords::kNone);
  for (uint32_t i = 0; i < 5000; i++) {
    ASSERT_TRUE(records.reserve(i + 1));
    records.push(i);
  }
  for (uint32_t i = 5000; i-- > 0;) ASSERT_EQ(records.pop(), i);
  EXPECT_EQ(records.pop(), FreeRecords::kNone);
  records.release();
}

TEST(FreeRecordsTest, ReserveSaysWhenThereIsNoMemory) {
  FreeRecords records;
  const NoMemory none;
  EXPECT_FALSE(records.reserve(10));
  EXPECT_EQ(records.pop(), FreeRecords::kNone);
}

}  // namespace
}  // namespace liballoc
