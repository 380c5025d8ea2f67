// size_class_table_test.cc - figures of a class add up, and estimates are told from facts.
#include "agent/model/size_class_table.h"

#include <gtest/gtest.h>

namespace liballoc::agent {
namespace {

Snapshot snapshot_with_a_class() {
  Snapshot snapshot;
  snapshot.memstats.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  SizeClassStats& stats = snapshot.memstats.by_size[3];
  stats.object_bytes = 48;
  stats.mallocs = 300;
  stats.frees = 100;
  stats.live_bytes = 200 * 48;
  for (const uint8_t state : {LIBALLOC_SPAN_FULL, LIBALLOC_SPAN_PARTIAL, LIBALLOC_SPAN_CACHED}) {
    Span span;
    span.base = 8192 * (snapshot.spans.size() + 1);
    span.pages = 1;
    span.state = state;
    span.size_class = 3;
    span.object_bytes = 48;
    span.objects = 170;
    span.allocated = state == LIBALLOC_SPAN_FULL ? 170 : 40;
    snapshot.spans.push_back(span);
  }
  return snapshot;
}

TEST(SizeClassTableTest, SlotsAreLiveCachedOrFree) {
  const SizeClassFigures row = size_class_figures(snapshot_with_a_class())[3];
  EXPECT_EQ(row.spans, 3u);
  EXPECT_EQ(row.full_spans, 1u);
  EXPECT_EQ(row.partial_spans, 1u);
  EXPECT_EQ(row.cached_spans, 1u);
  EXPECT_EQ(row.slots, 510u);
  EXPECT_EQ(row.live_objects, 200u);
  EXPECT_EQ(row.cached_slots, 50u) << "250 handed out, 200 of them live";
  EXPECT_EQ(row.free_slots, 260u);
  EXPECT_EQ(row.live_objects + row.cached_slots + row.free_slots, row.slots);
  EXPECT_DOUBLE_EQ(row.occupancy, 200.0 / 510);
  EXPECT_EQ(row.span_bytes, 3u * 8192);
  EXPECT_EQ(row.tail_waste_bytes, 3u * (8192 - 170 * 48));
}

TEST(SizeClassTableTest, RoundingWasteIsAbsentWithoutSamples) {
  Snapshot snapshot = snapshot_with_a_class();
  EXPECT_FALSE(size_class_figures(snapshot)[3].rounding_waste_bytes_estimate.has_value());
  Bucket freed;  // sampled, but none of it lives
  freed.cache_class = 3;
  freed.allocated_bytes = 48;
  freed.period = 1;
  freed.allocs = freed.frees = 4;
  freed.alloc_requested = freed.free_requested = 4 * 40;
  snapshot.buckets = {freed};
  EXPECT_FALSE(size_class_figures(snapshot)[3].rounding_waste_bytes_estimate.has_value());
}

TEST(SizeClassTableTest, RoundingWasteIsTheShareOfTheSamplesOfTheExactBytes) {
  Snapshot snapshot = snapshot_with_a_class();
  Bucket bucket;
  bucket.cache_class = 3 + LIBALLOC_ABI_SIZE_CLASSES;  // noscan counts for the same class
  bucket.allocated_bytes = 48;
  bucket.period = 524288;
  bucket.allocs = 10;
  bucket.frees = 2;
  bucket.alloc_requested = 10 * 36;
  bucket.free_requested = 2 * 36;
  snapshot.buckets = {bucket};
  const SizeClassFigures row = size_class_figures(snapshot)[3];
  EXPECT_EQ(row.samples, 8u);
  ASSERT_TRUE(row.rounding_waste_bytes_estimate.has_value());
  EXPECT_NEAR(static_cast<double>(*row.rounding_waste_bytes_estimate), 200 * 12.0, 1);
}

TEST(SizeClassTableTest, CountersReadApartFromSpansStayInRange) {
  Snapshot snapshot = snapshot_with_a_class();
  snapshot.memstats.by_size[3].mallocs = 5000;  // more than there are slots
  const SizeClassFigures row = size_class_figures(snapshot)[3];
  EXPECT_EQ(row.cached_slots, 0u);
  EXPECT_LE(row.occupancy, 1);
  snapshot.memstats.by_size[3].live_bytes = UINT64_MAX;
  Bucket bucket;
  bucket.cache_class = 3;
  bucket.allocated_bytes = 48;
  bucket.period = 1;
  bucket.allocs = 1;
  snapshot.buckets = {bucket};
  EXPECT_LE(*size_class_figures(snapshot)[3].rounding_waste_bytes_estimate, UINT64_MAX);
}

}  // namespace
}  // namespace liballoc::agent
