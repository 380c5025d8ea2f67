// table_test.cc - records under a sequence word are taken whole or not at all, while a writer is at
// work.
#include "agent/reader/table.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <thread>

#include "agent/reader/segment_file.h"
#include "tests/agent/reader/segment_builder.h"
#include "tests/agent/reader/temp_dir.h"

namespace liballoc::agent {
namespace {

// Counts fetches, and lets a test change the bytes between two of them.
class ScriptedSource final : public ByteSource {
 public:
  explicit ScriptedSource(std::vector<uint8_t>& bytes) : bytes_(bytes) {}
  ReadResult<uint64_t> size() const override { return bytes_.size(); }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    ++fetches;
    if (before_fetch) before_fetch(fetches);
    return MemorySource(bytes_).read_at(offset, out);
  }
  mutable int fetches = 0;
  std::function<void(int)> before_fetch;

 private:
  std::vector<uint8_t>& bytes_;
};

class TableTest : public testing::Test {
 protected:
  TableTest() {
    for (uint64_t i = 1; i <= 4; ++i) b_.add_span(0x1000 * i, 1, LIBALLOC_SPAN_PARTIAL, 2, 1);
    bytes_ = b_.bytes();
    const auto layout = read_layout(MemorySource(bytes_));
    section_ = layout->section(LIBALLOC_SECTION_SPANS);
  }
  liballoc_abi_span* span(size_t i) {
    return reinterpret_cast<liballoc_abi_span*>(bytes_.data() + section_.extents[0].offset) + i;
  }
  SegmentBuilder b_;
  std::vector<uint8_t> bytes_;
  Section section_;
};

TEST_F(TableTest, ARecordThatSettlesIsFetchedAgainAndTaken) {
  ScriptedSource source(bytes_);
  source.before_fetch = [&](int fetch) {
    // Being written at the first fetch; complete, with other values, from the fourth on.
    if (fetch == 1) span(2)->sequence = 5;
    if (fetch == 4) {
      span(2)->base = 0x99000;
      span(2)->sequence = 6;
    }
  };
  const auto table = read_table<liballoc_abi_span, true>(source, section_, 100);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->torn, 0u);
  EXPECT_EQ(table->records[2].base, 0x99000u);
  EXPECT_EQ(table->records[3].base, 0x4000u);
}

TEST_F(TableTest, AChangeBetweenTheTwoFetchesIsNoticedEvenWhenBothLookComplete) {
  ScriptedSource source(bytes_);
  source.before_fetch = [&](int fetch) {
    if (fetch == 2) {
      span(0)->sequence = 6;
      span(0)->base = 0x77000;
    }
  };
  const auto table = read_table<liballoc_abi_span, true>(source, section_, 100);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->torn, 0u);
  EXPECT_EQ(table->records[0].base, 0x77000u);
  EXPECT_EQ(source.fetches, 3);
}

TEST_F(TableTest, ARecordThatNeverSettlesIsZeroAndTheWorkIsBounded) {
  span(1)->sequence = 7;
  ScriptedSource source(bytes_);
  const auto table = read_table<liballoc_abi_span, true>(source, section_, 100);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->torn, 1u);
  EXPECT_EQ(table->records[1].base, 0u);
  EXPECT_EQ(source.fetches, 2 + limits::kTornRetries);
  source.fetches = 0;
  const auto dead = read_table<liballoc_abi_span, true>(source, section_, 100, false);
  ASSERT_TRUE(dead);
  EXPECT_EQ(source.fetches, 2) << "a dead writer is not waited for";
}

TEST_F(TableTest, ATableOfOddSequencesStaysWithinTheBudget) {
  SegmentBuilder b;
  for (uint64_t i = 0; i < 5000; ++i) {
    b.add_span(0x1000 * (i + 1), 1, LIBALLOC_SPAN_PARTIAL, 2, 1);
    b.spans.back().sequence = 1;
  }
  auto bytes = b.bytes();
  const auto layout = read_layout(MemorySource(bytes));
  ScriptedSource source(bytes);
  const auto table = read_table<liballoc_abi_span, true>(
      source, layout->section(LIBALLOC_SECTION_SPANS), 1u << 20);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->torn, 5000u);
  EXPECT_LE(source.fetches, limits::kTornRetryBudget + 8);
}

TEST_F(TableTest, WhatIsBeyondTheCapIsCountedAsDropped) {
  const auto table = read_table<liballoc_abi_span, true>(MemorySource(bytes_), section_, 3);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->records.size(), 3u);
  EXPECT_EQ(table->dropped, 1u);
}

// A real writer thread rewrites one memstats record in a mapped file, under its sequence word,
// while the reader reads it through the file: every record taken as whole must be one that was
// written as a whole.
TEST(TableConcurrencyTest, NeverTakesATornRecordFromALiveWriter) {
  TempDir dir;
  SegmentBuilder b;
  const std::string path = b.write_file(dir.path());
  const UniqueFd writable(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(writable);
  const uint64_t offset = b.entry(LIBALLOC_SECTION_MEMSTATS).offset;
  void* map = ::mmap(nullptr, b.header.valid_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                     writable.value(), 0);
  ASSERT_NE(map, MAP_FAILED);
  auto* words = reinterpret_cast<uint64_t*>(static_cast<char*>(map) + offset);
  constexpr size_t kWords = sizeof(liballoc_abi_memstats) / 8;

  const UniqueFd dir_fd(::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto file = SegmentFile::open_at(dir_fd.value(), b.file_name(), ::geteuid());
  ASSERT_TRUE(file);
  const auto layout = read_layout(*file);
  ASSERT_TRUE(layout);

  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t round = 1; !stop.load(std::memory_order_relaxed); ++round) {
      std::atomic_ref<uint64_t> sequence(words[0]);
      sequence.store(2 * round - 1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_release);
      for (size_t i = 1; i < kWords; ++i) {
        std::atomic_ref<uint64_t>(words[i]).store(round, std::memory_order_relaxed);
      }
      sequence.store(2 * round, std::memory_order_release);
      for (int pause = 0; pause < 300; ++pause) asm volatile("");
    }
  });
  uint64_t whole = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto table = read_table<liballoc_abi_memstats, true>(
        *file, layout->section(LIBALLOC_SECTION_MEMSTATS), 1);
    ASSERT_TRUE(table);
    if (table->torn != 0) continue;
    uint64_t copy[kWords];
    std::memcpy(copy, &table->records[0], sizeof(copy));
    if (copy[0] == 0) continue;  // before the writer's first round
    ++whole;
    for (size_t w = 1; w < kWords; ++w) ASSERT_EQ(copy[w], copy[0] / 2) << "word " << w;
  }
  stop = true;
  writer.join();
  ::munmap(map, b.header.valid_bytes);
  EXPECT_GT(whole, 0u);
}

}  // namespace
}  // namespace liballoc::agent
