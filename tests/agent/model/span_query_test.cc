// span_query_test.cc - spans by address, and which of them a filter means.
#include "agent/model/span_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

Span span_at(uint64_t base, uint32_t pages, uint8_t state, int64_t changed = 1000) {
  static uint32_t record = 0;
  Span span;
  span.record = record++;
  span.base = base;
  span.pages = pages;
  span.state = state;
  span.changed_unix_ns = changed;
  if (has_slots(span)) {
    span.size_class = 3;
    span.object_bytes = 32;
    span.objects = 256;
  }
  return span;
}

std::vector<uint64_t> bases(const std::vector<const Span*>& spans) {
  std::vector<uint64_t> out;
  for (const Span* span : spans) out.push_back(span->base);
  return out;
}

TEST(SpanQueryTest, SpansComeInTheOrderOfTheirAddresses) {
  Snapshot snapshot;
  for (const uint64_t page : {9, 2, 5}) {
    snapshot.spans.push_back(span_at(page * 8192, 1, LIBALLOC_SPAN_FREE));
  }
  EXPECT_THAT(bases(spans_by_address(snapshot)), testing::ElementsAre(16384, 40960, 73728));
}

TEST(SpanQueryTest, OfTwoThatOverlapTheLaterOneIsRight) {
  Snapshot snapshot;
  snapshot.spans.push_back(span_at(8192, 4, LIBALLOC_SPAN_FREE, 10));   // before the split
  snapshot.spans.push_back(span_at(8192, 1, LIBALLOC_SPAN_FULL, 20));   // its first part
  snapshot.spans.push_back(span_at(16384, 3, LIBALLOC_SPAN_FREE, 20));  // the rest
  EXPECT_THAT(bases(spans_by_address(snapshot)), testing::ElementsAre(8192, 16384));
  EXPECT_EQ(spans_by_address(snapshot).front()->state, LIBALLOC_SPAN_FULL);

  Snapshot merged;
  merged.spans.push_back(span_at(8192, 1, LIBALLOC_SPAN_FREE, 10));
  merged.spans.push_back(span_at(8192, 4, LIBALLOC_SPAN_FREE, 30));
  merged.spans.push_back(span_at(16384, 3, LIBALLOC_SPAN_FREE, 10));
  ASSERT_EQ(spans_by_address(merged).size(), 1u);
  EXPECT_EQ(spans_by_address(merged).front()->pages, 4u);
}

TEST(SpanQueryTest, ASpanUpToTheLastAddressDoesNotWrap) {
  Snapshot snapshot;
  snapshot.spans.push_back(span_at(UINT64_MAX - 8191, UINT32_MAX, LIBALLOC_SPAN_FREE));
  snapshot.spans.push_back(span_at(8192, 1, LIBALLOC_SPAN_FREE));
  EXPECT_EQ(spans_by_address(snapshot).size(), 2u);
}

TEST(SpanQueryTest, OccupancyIsThePartThatIsHandedOut) {
  Span partial = span_at(8192, 1, LIBALLOC_SPAN_PARTIAL);
  partial.allocated = 64;
  EXPECT_DOUBLE_EQ(occupancy(partial), 0.25);
  EXPECT_DOUBLE_EQ(occupancy(span_at(8192, 9, LIBALLOC_SPAN_LARGE)), 1);
  EXPECT_DOUBLE_EQ(occupancy(span_at(8192, 9, LIBALLOC_SPAN_FREE)), 0);
  EXPECT_DOUBLE_EQ(occupancy(span_at(8192, 9, LIBALLOC_SPAN_PAGE_CACHED)), 0);
  partial.objects = 0;
  EXPECT_DOUBLE_EQ(occupancy(partial), 0);
}

TEST(SpanQueryTest, EveryFieldOfAFilterMustMatch) {
  Span span = span_at(8192, 1, LIBALLOC_SPAN_PARTIAL, 4000000000);
  span.allocated = 128;
  constexpr int64_t kRead = 5000000000;
  EXPECT_TRUE(matches({}, span, kRead));
  SpanFilter filter;
  filter.states = 1u << LIBALLOC_SPAN_PARTIAL | 1u << LIBALLOC_SPAN_FULL;
  EXPECT_TRUE(matches(filter, span, kRead));
  filter.states = 1u << LIBALLOC_SPAN_FREE;
  EXPECT_FALSE(matches(filter, span, kRead));
  filter = {};
  filter.object_bytes = {16, 32};
  EXPECT_TRUE(matches(filter, span, kRead));
  filter.object_bytes = {0};
  EXPECT_FALSE(matches(filter, span, kRead));
  EXPECT_TRUE(matches(filter, span_at(8192, 5, LIBALLOC_SPAN_LARGE), kRead));
  EXPECT_FALSE(matches(filter, span_at(8192, 5, LIBALLOC_SPAN_FREE), kRead));
  filter = {};
  filter.min_occupancy = 0.5;
  EXPECT_TRUE(matches(filter, span, kRead));
  filter.min_occupancy = 0.51;
  EXPECT_FALSE(matches(filter, span, kRead));
  filter = {};
  filter.max_occupancy = 0.49;
  EXPECT_FALSE(matches(filter, span, kRead));
  filter = {};
  filter.min_age_ns = 1000000000;
  EXPECT_TRUE(matches(filter, span, kRead));
  filter.min_age_ns = 1000000001;
  EXPECT_FALSE(matches(filter, span, kRead));
}

}  // namespace
}  // namespace liballoc::agent
