// segment_ring_test.cc - the ring as a reader of the file finds it: events in order, as many as the
// heap's size warrants.
#include <algorithm>

#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

class SegmentRingTest : public SegmentTest {
 protected:
  void SetUp() override { ASSERT_EQ(create(), SegmentStatus::kOk); }
  // Between two events, so that no round is short.
  static constexpr uint64_t kSlowly = Ring::kShortRoundNs / Ring::kFirstRecords + 1;
};

TEST_F(SegmentRingTest, EventIsReadAsEmitted) {
  segment_->emit(LIBALLOC_EVENT_SPAN_SPLIT, 11, 22, 1, 2, 3, 4, 5);
  const auto ring = view().ring();
  EXPECT_EQ(ring.count, 1u);
  EXPECT_EQ(ring.capacity, Ring::kCapacity);
  const auto record = view().at<liballoc_abi_record>(ring.offset);
  EXPECT_EQ(record.sequence, 1u);
  EXPECT_EQ(record.time_ns, 22u);
  EXPECT_EQ(record.kind, uint32_t{LIBALLOC_EVENT_SPAN_SPLIT});
  EXPECT_EQ(record.tid, 11u);
  EXPECT_EQ(record.a, 1u);
  EXPECT_EQ(record.e, 5u);
}

TEST_F(SegmentRingTest, GrowsWithTheHeapInStepsAndKeepsWhatItHolds) {
  const uint64_t at_first = segment_->backed_bytes();
  const auto backed_records = [&] {
    return (segment_->backed_bytes() - at_first) / sizeof(liballoc_abi_record) + Ring::kFirstRecords;
  };
  uint64_t now_ns = 0;
  const auto emit = [&](uint64_t events) {
    for (uint64_t i = 0; i < events; i++) segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, now_ns += kSlowly);
  };
  emit(Ring::kFirstRecords);
  EXPECT_EQ(backed_records(), Ring::kFirstRecords);
  emit(1);
  EXPECT_EQ(backed_records(), Ring::kStepRecords);
  emit(3 * Ring::kCapacity);
  EXPECT_EQ(backed_records(), Ring::kStepRecords) << "the heap is small";

  liballoc_abi_memstats values{};
  uint64_t before = Ring::kStepRecords;
  for (const uint64_t mib : {6, 17, 3, 18, 64}) {
    values.heap_inuse = mib << 20;
    segment_->publish_memstats(values);
    for (int i = 0; i < 24; i++) {
      emit(Ring::kStepRecords / 2 + 11);
      const FileView file = view();
      const auto ring = file.ring();
      ASSERT_EQ(FileView::ring_records(ring), backed_records());
      ASSERT_LE(backed_records(), before + Ring::kStepRecords) << "one step at a time";
      before = backed_records();
      ASSERT_GE(ring.count - FileView::ring_oldest(ring), std::min<uint64_t>(before, ring.count) - Ring::kStepRecords);
      file.expect_ring_holds_its_events();
    }
    const uint64_t warranted = values.heap_inuse / Ring::kHeapBytesPerRecord;
    if (mib != 3) {
      EXPECT_EQ(before, std::min<uint64_t>((warranted + Ring::kStepRecords - 1) / Ring::kStepRecords * Ring::kStepRecords,
                                           Ring::kCapacity));
    }
  }
  EXPECT_EQ(view().stored_bytes(), segment_->backed_bytes());
}

TEST_F(SegmentRingTest, GrowsInABurst) {
  const uint64_t apart = Ring::kShortRoundNs / (4 * Ring::kStepRecords);  // four times the first size would do
  for (uint64_t i = 0; i < 100 * Ring::kStepRecords; i++) segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, i * apart);
  const FileView file = view();
  EXPECT_EQ(FileView::ring_records(file.ring()), 5 * Ring::kStepRecords);
  EXPECT_EQ(FileView::ring_oldest(file.ring()), file.ring().count - FileView::ring_records(file.ring()));
}

TEST_F(SegmentRingTest, OverwritesTheOldestAndItsHeadTellsHowMany) {
  constexpr uint64_t kEvents = 3 * Ring::kCapacity + 17;
  for (uint64_t i = 0; i < kEvents; i++) segment_->emit(LIBALLOC_EVENT_HEAP_PEAK, 1, i * kSlowly, i * 2);
  const FileView file = view();
  const auto ring = file.ring();
  EXPECT_EQ(ring.count, kEvents);
  EXPECT_EQ(FileView::ring_oldest(ring), kEvents - Ring::kStepRecords);
  for (uint64_t i = FileView::ring_oldest(ring); i < kEvents; i++) {
    const auto record = file.at<liballoc_abi_record>(FileView::ring_offset(ring, i));
    ASSERT_EQ(record.sequence, i + 1);
    ASSERT_EQ(record.time_ns, i * kSlowly);
    ASSERT_EQ(record.a, i * 2);
  }
  EXPECT_EQ(file.extents(LIBALLOC_SECTION_RING).size(), 1u);
}

}  // namespace
}  // namespace liballoc
