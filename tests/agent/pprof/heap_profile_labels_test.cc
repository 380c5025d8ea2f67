// heap_profile_labels_test.cc - what threads carried when they were sampled, as labels of a profile's samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/pprof/heap_profile.h"
#include "tests/agent/pprof/testing.h"

namespace liballoc::agent {
namespace {

using ::testing::ElementsAre;

Profile heap_of(const Snapshot& s) {
  return decode(encode_profile(s, ProfileKind::kHeap, {}, nullptr).bytes);
}

// "key=value" of each text label, in the order of the sample.
std::vector<std::string> text_labels(const Profile& p, int sample) {
  std::vector<std::string> out;
  for (const auto& label : p.sample(sample).label()) {
    if (label.str() != 0) out.push_back(text(p, label.key()) + "=" + text(p, label.str()));
  }
  return out;
}

TEST(HeapProfileLabels, TellsSamplesOfOneStackApartByTheLabelsOfTheirThreads) {
  Snapshot s = make_snapshot();
  s.label_sets = {{}, {{"endpoint", "/api"}, {"tenant", "acme"}}, {{"tenant", "globex"}}};
  for (const uint32_t labels : {1u, 2u, 0u, 1u}) {
    add_bucket(s, {{kAppStart + 16}, 64, 64, 5, 0, 1});
    s.buckets.back().label_set = labels;
  }
  const Profile p = heap_of(s);
  ASSERT_EQ(p.sample_size(), 3);
  EXPECT_THAT(text_labels(p, 0), ElementsAre("endpoint=/api", "tenant=acme"));
  EXPECT_THAT(text_labels(p, 1), ElementsAre("tenant=globex"));
  EXPECT_THAT(text_labels(p, 2), ElementsAre());
  EXPECT_EQ(p.sample(0).value(0), 10);
  EXPECT_EQ(p.sample(1).value(0), 5);
}

TEST(HeapProfileLabels, HasNoLabelThatReadersKeepForThemselves) {
  Snapshot s = make_snapshot();
  s.label_sets = {{}, {{"bytes", "x"}, {"empty", ""}, {"pprof::base", "true"}, {"tenant", "acme"}}};
  add_bucket(s, {{kAppStart + 16}, 64, 64, 5, 0, 1});
  s.buckets.back().label_set = 1;
  const Profile p = heap_of(s);
  EXPECT_THAT(text_labels(p, 0), ElementsAre("tenant=acme"));
  EXPECT_EQ(p.sample(0).label_size(), 2) << "and the object size";
}

TEST(HeapProfileLabels, ADeltaComparesLabelsByWhatTheySay) {
  Snapshot before = make_snapshot(), after = make_snapshot();
  before.label_sets = {{}, {{"tenant", "acme"}}};
  after.label_sets = {{}, {{"tenant", "globex"}}, {{"tenant", "acme"}}};
  add_bucket(before, {{kAppStart + 16}, 64, 64, 5, 0, 1});
  before.buckets.back().label_set = 1;
  add_bucket(after, {{kAppStart + 16}, 64, 64, 7, 0, 1});
  after.buckets.back().label_set = 2;
  const Profile p = decode(encode_delta(before, after, ProfileKind::kHeap, {}, nullptr).bytes);
  ASSERT_EQ(p.sample_size(), 1);
  EXPECT_EQ(p.sample(0).value(0), 2);
  EXPECT_THAT(text_labels(p, 0), ElementsAre("tenant=acme"));
}

}  // namespace
}  // namespace liballoc::agent
