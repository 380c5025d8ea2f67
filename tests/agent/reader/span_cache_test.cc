// span_cache_test.cc - reading again costs what changed, and never shows what a first reading would
// not.
#include "agent/reader/span_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "agent/reader/decode.h"
#include "agent/reader/limits.h"
#include "agent/reader/table.h"

namespace liballoc::agent {
namespace {

// A span table in memory, in two extents. The bytes can change between two fetches.
class SpanCacheTest : public ::testing::Test, public ByteSource {
 protected:
  static constexpr size_t kFirst = 512;
  static constexpr size_t kRecords = 10000;

  void SetUp() override {
    section_.extents = {{0, sizeof(liballoc_abi_span), kFirst, kFirst, 0},
                        {kFirst * sizeof(liballoc_abi_span), sizeof(liballoc_abi_span),
                         kRecords - kFirst, kRecords - kFirst, kFirst}};
    section_.records = kRecords;
    table_.resize(kRecords);
    for (size_t i = 0; i < kRecords; ++i) {
      table_[i].sequence = 2;
      table_[i].base = 0x10000 + i * 8192;
      table_[i].pages = 1;
      table_[i].state = LIBALLOC_SPAN_FREE;
    }
  }

  ReadResult<uint64_t> size() const override { return table_.size() * sizeof(table_[0]); }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    ++fetches_;
    if (fails_) return reject(Reject::kReadFailed, "as the test wants it");
    const auto* bytes = reinterpret_cast<const uint8_t*>(table_.data());
    std::copy(bytes + offset, bytes + offset + out.size(), out.begin());
    if (after_fetch_) after_fetch_();
    return {};
  }

  SharedList<Span> read() {
    health_ = {};
    auto result = cache_.read(*this, section_, WallClock(), true, health_);
    EXPECT_TRUE(result.ok());
    return *result;
  }
  // What a reader that keeps nothing says.
  std::vector<Span> oracle() {
    ReadHealth health;
    auto table = read_table<liballoc_abi_span, true>(*this, section_, limits::kMaxSpans, true);
    return decode_spans(table->records, WallClock(), health);
  }
  static bool same(const SharedList<Span>& a, const std::vector<Span>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Span& x, const Span& y) {
      return x.record == y.record && x.base == y.base && x.pages == y.pages && x.state == y.state &&
             x.allocated == y.allocated && x.objects == y.objects;
    });
  }

  SpanCache cache_;
  Section section_;
  std::vector<liballoc_abi_span> table_;
  ReadHealth health_;
  mutable uint64_t fetches_ = 0;
  bool fails_ = false;
  std::function<void()> after_fetch_;
};

TEST_F(SpanCacheTest, AnUnchangedTableIsSharedAndFetchedOnce) {
  const SharedList<Span> first = read();
  EXPECT_EQ(first.size(), kRecords);
  fetches_ = 0;
  const uint64_t settled = cache_.blocks_settled();
  const SharedList<Span> second = read();
  EXPECT_TRUE(second.shares_with(first));
  EXPECT_EQ(cache_.blocks_settled(), settled) << "nothing was fetched twice";
  EXPECT_EQ(fetches_, 4u) << "a chunk each: 512, and 9488 in chunks of 4096";
}

TEST_F(SpanCacheTest, AChangeCostsItsBlockAlone) {
  const SharedList<Span> before = read();
  const uint64_t settled = cache_.blocks_settled();
  table_[700].sequence += 2;
  table_[700].state = LIBALLOC_SPAN_LARGE;
  const SharedList<Span> after = read();
  EXPECT_EQ(cache_.blocks_settled(), settled + 1);
  EXPECT_EQ(after[700].state, LIBALLOC_SPAN_LARGE);
  EXPECT_EQ(before[700].state, LIBALLOC_SPAN_FREE) << "who has the old list keeps it";
}

TEST_F(SpanCacheTest, AllocatedAloneIsAChangeToo) {
  table_[9].state = LIBALLOC_SPAN_CACHED;
  table_[9].objects = 10;
  read();
  table_[9].allocated = 7;  // without its sequence
  EXPECT_EQ(read()[9].allocated, 7u);
}

TEST_F(SpanCacheTest, ATornRecordIsLeftOutUntilItIsWhole) {
  read();
  table_[5].sequence = 3;  // odd: the writer is in it
  table_[5].pages = 99;
  EXPECT_EQ(read().size(), kRecords - 1);
  EXPECT_EQ(health_.torn_records, 1u);
  EXPECT_EQ(read().size(), kRecords - 1);
  EXPECT_EQ(health_.torn_records, 1u) << "in every reading";
  table_[5].sequence = 4;
  const SharedList<Span> whole = read();
  EXPECT_EQ(whole.size(), kRecords);
  EXPECT_EQ(whole[5].pages, 99u);
  EXPECT_EQ(health_.torn_records, 0u);
}

TEST_F(SpanCacheTest, ACorruptRecordCountsInEveryReading) {
  table_[5].pages = 0;
  EXPECT_EQ(read().size(), kRecords - 1);
  EXPECT_EQ(health_.corrupt_records, 1u);
  read();
  EXPECT_EQ(health_.corrupt_records, 1u);
}

TEST_F(SpanCacheTest, AfterAFailedReadingNothingIsMissing) {
  read();
  table_[600].state = LIBALLOC_SPAN_LARGE;
  table_[600].sequence += 2;
  int left = 2;  // the reading fails behind the block that changed
  after_fetch_ = [&] { fails_ = --left <= 0; };
  ReadHealth health;
  EXPECT_FALSE(cache_.read(*this, section_, WallClock(), true, health).ok());
  after_fetch_ = nullptr;
  fails_ = false;
  EXPECT_EQ(read()[600].state, LIBALLOC_SPAN_LARGE);
}

TEST_F(SpanCacheTest, AGrowingAndAShrinkingTableAreReadToTheirEnd) {
  section_.records = 600;
  section_.extents[1].count = 600 - kFirst;
  EXPECT_EQ(read().size(), 600u);
  section_.records = 601;
  section_.extents[1].count = 601 - kFirst;
  EXPECT_EQ(read().size(), 601u);
  section_.records = 100;
  section_.extents.resize(1);
  section_.extents[0].count = 100;
  EXPECT_EQ(read().size(), 100u);
}

TEST_F(SpanCacheTest, ASparseTableIsReadRightWithoutBeingKept) {
  table_.assign(40000, liballoc_abi_span{});
  section_.extents = {{0, sizeof(liballoc_abi_span), 40000, 40000, 0}};
  section_.records = 40000;
  table_[39999] = {4, 0x10000, 3, LIBALLOC_SPAN_FREE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(read().size(), 1u);
  table_[39999].pages = 4;
  table_[39999].sequence = 6;
  EXPECT_EQ(read()[0].pages, 4u);
}

TEST_F(SpanCacheTest, AnyRandomWriterGivesWhatAFreshReaderSees) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 200; ++round) {
    for (uint64_t n = random() % 50; n > 0; --n) {
      liballoc_abi_span& record = table_[random() % kRecords];
      const uint64_t sequence = record.sequence;
      if (random() % 3 == 0) record = {};
      record.sequence = sequence + random() % 4;  // also odd ones, and none
      record.base = random() % 4 == 0 ? 0 : 0x10000 + random() % 100000 * 8192;
      record.pages = static_cast<uint32_t>(random() % 5);
      record.state = static_cast<uint8_t>(random() % 10);
      record.objects = 10;
      record.allocated = static_cast<uint32_t>(random() % 12);
    }
    ASSERT_TRUE(same(read(), oracle())) << "round " << round;
  }
}

}  // namespace
}  // namespace liballoc::agent
