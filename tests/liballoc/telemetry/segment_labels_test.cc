// segment_labels_test.cc - labels and label sets: stored once, bounded, in no program's way that has none, and a part of what a
// sample is counted by.
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

class SegmentLabelsTest : public SegmentTest {
 protected:
  uint32_t intern(const Pairs& pairs) {
    std::vector<liballoc_abi_label> labels(pairs.size());
    for (size_t i = 0; i < pairs.size(); i++) {
      labels[i].key_bytes = static_cast<uint32_t>(pairs[i].first.size());
      labels[i].value_bytes = static_cast<uint32_t>(pairs[i].second.size());
      pairs[i].first.copy(labels[i].key, sizeof(labels[i].key));
      pairs[i].second.copy(labels[i].value, sizeof(labels[i].value));
    }
    return segment_->intern_labels(labels.data(), static_cast<uint32_t>(labels.size()));
  }
  Pairs stored(uint32_t number) const {
    const FileView file = view();
    const auto set = file.records<liballoc_abi_label_set>(LIBALLOC_SECTION_LABEL_SETS).at(number - 1);
    const auto labels = file.records<liballoc_abi_label>(LIBALLOC_SECTION_LABELS);
    Pairs pairs;
    for (uint32_t i = 0; i < set.labels; i++) {
      const liballoc_abi_label& label = labels.at(set.label[i] - 1);
      pairs.emplace_back(label.key, label.value);
      EXPECT_EQ(label.key_bytes, pairs.back().first.size());
      EXPECT_EQ(label.value_bytes, pairs.back().second.size());
    }
    return pairs;
  }
};

TEST_F(SegmentLabelsTest, AProgramWithoutLabelsHasNoSectionOfThem) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(segment_->intern_labels(nullptr, 0), 0u);
  EXPECT_TRUE(view().extents(LIBALLOC_SECTION_LABELS).empty());
  EXPECT_TRUE(view().extents(LIBALLOC_SECTION_LABEL_SETS).empty());
}

TEST_F(SegmentLabelsTest, ASetIsStoredOnceAndItsLabelsAreShared) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const Pairs a = {{"endpoint", "/api"}, {"tenant", "acme"}}, b = {{"tenant", "acme"}}, c = {{"tenant", "acm"}};
  EXPECT_EQ(intern(a), 1u);
  EXPECT_EQ(intern(b), 2u);
  EXPECT_EQ(intern(c), 3u);
  EXPECT_EQ(intern(a), 1u);
  EXPECT_EQ(intern(b), 2u);
  EXPECT_EQ(view().records<liballoc_abi_label_set>(LIBALLOC_SECTION_LABEL_SETS).size(), 3u);
  EXPECT_EQ(view().records<liballoc_abi_label>(LIBALLOC_SECTION_LABELS).size(), 3u);
  EXPECT_EQ(stored(1), a);
  EXPECT_EQ(stored(2), b);
  EXPECT_EQ(stored(3), c);
}

TEST_F(SegmentLabelsTest, KeyAndValueAreNotMixedUp) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(intern({{"a", "b"}}), 1u);
  EXPECT_EQ(intern({{"b", "a"}}), 2u);
  EXPECT_EQ(intern({{"a", ""}}), 3u);
  EXPECT_EQ(intern({{"ab", ""}}), 4u);
  EXPECT_EQ(intern({{"a", "b"}, {"b", "a"}}), 5u);
}

TEST_F(SegmentLabelsTest, SetsGrowToTheirLimitAndThenCountWhatTheyLeaveOut) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  for (uint32_t i = 0; i < LabelTable::kMaxSets; i++) ASSERT_EQ(intern({{"request", std::to_string(i)}}), i + 1);
  EXPECT_EQ(intern({{"request", "one more"}}), 0u);
  EXPECT_EQ(intern({{"request", "one more"}}), 0u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_LABEL_SETS), 2u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_LABELS), 2u);
  EXPECT_EQ(intern({{"request", "77"}}), 78u) << "those that are there stay";
  EXPECT_EQ(stored(LabelTable::kMaxSets), (Pairs{{"request", std::to_string(LabelTable::kMaxSets - 1)}}));
}

TEST_F(SegmentLabelsTest, ASetOfKnownLabelsIsRefusedWhenSetsAreFull) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  for (uint32_t i = 0; i < LabelTable::kMaxSets; i++) {
    ASSERT_EQ(intern({{"a", std::to_string(i / 64)}, {"b", std::to_string(i % 64)}}), i + 1);
  }
  EXPECT_EQ(intern({{"a", "1"}}), 0u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_LABEL_SETS), 1u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_LABELS), 0u);
}

TEST_F(SegmentLabelsTest, SamplesOfOneStackAreCountedByTheirLabels) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const uintptr_t pcs[] = {10, 20};
  const uint32_t stack = segment_->intern_stack(pcs, 2, false, 7, 1);
  const uint32_t acme = intern({{"tenant", "acme"}}), globex = intern({{"tenant", "globex"}});
  uint64_t address = 4096;
  const auto sample = [&](uint32_t labels) {
    liballoc_abi_sample s{};
    s.address = address += 64;
    s.requested_bytes = 60;
    s.allocated_bytes = 64;
    s.period = 512;
    s.stack = stack;
    s.label_set = labels;
    return segment_->add_sample(&s, 5);
  };
  ASSERT_NE(sample(acme), 0u);
  const uint32_t freed = sample(globex);
  ASSERT_NE(sample(0), 0u);
  ASSERT_NE(sample(acme), 0u);
  ASSERT_TRUE(segment_->remove_sample(freed, 1, 9, nullptr));
  const auto buckets = view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS);
  ASSERT_EQ(buckets.size(), 3u);
  EXPECT_EQ(buckets[0].label_set, acme);
  EXPECT_EQ(buckets[0].allocs, 2u);
  EXPECT_EQ(buckets[1].label_set, globex);
  EXPECT_EQ(buckets[1].frees, 1u);
  EXPECT_EQ(buckets[2].label_set, 0u);
  EXPECT_EQ(view().records<liballoc_abi_sample>(LIBALLOC_SECTION_SAMPLES)[0].label_set, acme);
}

TEST_F(SegmentLabelsTest, TheChildOfAForkBeginsWithoutThem) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  ASSERT_EQ(intern({{"tenant", "acme"}}), 1u);
  EXPECT_TRUE(in_child([&] {
    segment_->forget_after_fork();
    if (create() != SegmentStatus::kOk) return false;
    return view().extents(LIBALLOC_SECTION_LABELS).empty() && intern({{"tenant", "globex"}}) == 1 &&
           stored(1) == Pairs{{"tenant", "globex"}};
  }));
  EXPECT_EQ(stored(1), (Pairs{{"tenant", "acme"}}));
}

}  // namespace
}  // namespace liballoc
