// label_sets_test.cc - what samples carry, from a segment: resolved, in order, one value per key; and what of it is not believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/reader/limits.h"
#include "agent/reader/segment_reader.h"
#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Snapshot read_once(SegmentBuilder& b) {
  const std::vector<uint8_t> bytes = b.bytes();
  const MemorySource source(bytes);
  SegmentReader reader(SegmentName{b.header.pid, b.header.start_ticks, 0});
  auto reading = reader.read(source, true, 1);
  EXPECT_TRUE(reading.ok()) << reading.error().detail;
  return reading.ok() ? std::move(reading->snapshot) : Snapshot{};
}

TEST(LabelSetsTest, BucketsAndSamplesLeadToWhatTheirThreadsCarried) {
  SegmentBuilder b;
  const uint32_t stack = b.add_stack({1, 2});
  const uint32_t set = b.add_label_set({{"endpoint", "/api"}, {"tenant", "acme"}});
  const uint32_t with = b.add_bucket(stack, 3, 64, 5, 300);
  b.buckets.back().label_set = set;
  b.add_bucket(stack, 3, 64, 2, 120);
  b.add_sample(0x1000, 60, 64, stack, with);
  b.samples.back().label_set = set;
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.label_sets.size(), 2u);
  EXPECT_THAT(s.label_sets[0], IsEmpty());
  EXPECT_THAT(s.label_sets[1], ElementsAre(Pair("endpoint", "/api"), Pair("tenant", "acme")));
  EXPECT_EQ(s.buckets[0].label_set, 1u);
  EXPECT_EQ(s.buckets[1].label_set, 0u);
  EXPECT_EQ(s.live_samples[0].label_set, 1u);
  EXPECT_EQ(s.health.corrupt_records, 0u);
}

TEST(LabelSetsTest, ASegmentOfAnEarlierMinorHasNone) {
  SegmentBuilder b;
  b.add_bucket(b.add_stack({1}), 3, 64, 5, 300);
  const Snapshot s = read_once(b);
  EXPECT_EQ(s.label_sets.size(), 1u);
  EXPECT_EQ(s.buckets[0].label_set, 0u);
  EXPECT_EQ(s.health.corrupt_records, 0u);
}

TEST(LabelSetsTest, BytesThatAreNoTextBecomeText) {
  SegmentBuilder b;
  b.add_label_set({{"k\xff", "v\xfe"}, {"k\xfe", "w"}});  // two keys that are one as text
  const Snapshot s = read_once(b);
  EXPECT_THAT(s.label_sets[1], ElementsAre(Pair("k\xef\xbf\xbd", "v\xef\xbf\xbd")));
}

class BadLabelSetTest : public ::testing::Test {
 protected:
  BadLabelSetTest() {
    bad_ = b_.add_label_set({{"tenant", "acme"}}) - 1;
    b_.add_label_set({{"tenant", "globex"}});
  }
  void expect_left_out() {
    const Snapshot s = read_once(b_);
    ASSERT_EQ(s.label_sets.size(), 3u);
    EXPECT_THAT(s.label_sets[1], IsEmpty());
    EXPECT_THAT(s.label_sets[2], ElementsAre(Pair("tenant", "globex")));
    EXPECT_EQ(s.health.corrupt_records, 1u);
  }
  SegmentBuilder b_;
  uint32_t bad_ = 0;
};

TEST_F(BadLabelSetTest, OfMoreLabelsThanItHasRoomFor) {
  b_.label_sets[bad_].labels = LIBALLOC_ABI_LABELS_PER_SET + 1;
  expect_left_out();
}
TEST_F(BadLabelSetTest, WithALabelThatIsNotThere) {
  b_.label_sets[bad_].label[0] = 3;
  expect_left_out();
}
TEST_F(BadLabelSetTest, WithLabelNumberZero) {
  b_.label_sets[bad_].label[0] = 0;
  expect_left_out();
}
TEST_F(BadLabelSetTest, OfAKeyLongerThanItsField) {
  b_.labels[bad_].key_bytes = LIBALLOC_ABI_LABEL_KEY_BYTES;
  expect_left_out();
}
TEST_F(BadLabelSetTest, OfAValueLongerThanItsField) {
  b_.labels[bad_].value_bytes = UINT32_MAX;
  expect_left_out();
}
TEST_F(BadLabelSetTest, OfAnEmptyKey) {
  b_.labels[bad_].key[0] = '\0';
  expect_left_out();
}

TEST(LabelSetsTest, AReferenceToNoneIsNoLabels) {
  SegmentBuilder b;
  const uint32_t stack = b.add_stack({1});
  const uint32_t bucket = b.add_bucket(stack, 3, 64, 5, 300);
  b.buckets.back().label_set = 1;
  b.add_sample(0x1000, 60, 64, stack, bucket);
  b.samples.back().label_set = UINT32_MAX;
  const Snapshot s = read_once(b);
  EXPECT_EQ(s.buckets[0].label_set, 0u);
  EXPECT_EQ(s.live_samples[0].label_set, 0u);
  EXPECT_EQ(s.health.corrupt_records, 2u);
}

TEST(LabelSetsTest, MoreThanTheCapAreCountedAndLeftOut) {
  SegmentBuilder b;
  const uint32_t set = b.add_label_set({{"tenant", "acme"}}) - 1;
  b.label_sets.resize(limits::kMaxLabelSets + 7, b.label_sets[set]);
  const Snapshot s = read_once(b);
  EXPECT_EQ(s.label_sets.size(), limits::kMaxLabelSets + 1);
  EXPECT_EQ(s.health.dropped_records, 7u);
}

}  // namespace
}  // namespace liballoc::agent
