// golden_segment_test.cc - tests/golden/segment_v1_MINOR.gz, segments of real processes of ABI
// version 1, are read by this and every later reader. What is expected is what
// tests/golden/segment_program.c does: 3000 objects of 1200 bytes, of which 1000 are freed; five of
// 1 MiB, of which one is freed; 700 of 3000 bytes by another thread; then a second free of the one,
// which ends it.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/model/address_map.h"
#include "agent/model/size_class_table.h"
#include "agent/model/span_query.h"
#include "agent/reader/segment_reader.h"

namespace liballoc::agent {
namespace {

std::vector<uint8_t> golden_bytes(const std::string& path) {
  std::vector<uint8_t> bytes;
  gzFile file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) return bytes;
  uint8_t chunk[65536];
  for (int n; (n = ::gzread(file, chunk, sizeof(chunk))) > 0;) {
    bytes.insert(bytes.end(), chunk, chunk + n);
  }
  ::gzclose(file);
  return bytes;
}

class GoldenSegmentTest : public ::testing::TestWithParam<int> {  // the minor version
 protected:
  void SetUp() override {
    const std::string path =
        LIBALLOC_GOLDEN_DIR "/segment_v1_" + std::to_string(GetParam()) + ".gz";
    bytes_ = golden_bytes(path);
    ASSERT_GT(bytes_.size(), 4096u) << path;
    const MemorySource source(bytes_);
    const auto layout = read_layout(source);
    ASSERT_TRUE(layout.ok()) << reject_name(layout.error().reason) << " " << layout.error().detail;
    header_ = (*layout).header;
    SegmentReader reader(SegmentName{header_.pid, header_.start_ticks, 0});
    auto reading = reader.read(source, false, kReadAt);
    ASSERT_TRUE(reading.ok()) << reading.error().detail;
    reading_ = std::move(*reading);
  }

  // Objects of one class that live, by the size of its slots.
  const SizeClassStats& class_of(uint32_t object_bytes) {
    const auto& classes = reading_.snapshot.memstats.by_size;
    const auto found = std::find_if(classes.begin(), classes.end(), [&](const SizeClassStats& c) {
      return c.object_bytes == object_bytes;
    });
    EXPECT_NE(found, classes.end()) << object_bytes;
    return found == classes.end() ? classes.front() : *found;
  }

  static constexpr uint32_t kSmallSlot = 1280;   // of 1200 bytes
  static constexpr uint32_t kThreadSlot = 3072;  // of 3000 bytes
  static constexpr int64_t kReadAt = 2000000000000000000;
  std::vector<uint8_t> bytes_;
  liballoc_abi_header header_{};
  SegmentReading reading_;
};

TEST_P(GoldenSegmentTest, ItIsOfVersionOneAndSaysWhoItWas) {
  EXPECT_EQ(header_.major, 1);
  EXPECT_EQ(header_.minor, GetParam());
  EXPECT_EQ(header_.exit_state, uint64_t{LIBALLOC_EXIT_FAULT});
  EXPECT_EQ(header_.valid_bytes, bytes_.size());
  const ProcessIdentity& identity = reading_.snapshot.identity;
  EXPECT_EQ(identity.service, "golden");
  EXPECT_EQ(identity.liballoc_version, "0.1.0");
  EXPECT_NE(identity.executable.find("golden_segment_program"), std::string::npos);
  EXPECT_EQ(identity.command_line.size(), 1u);
}

TEST_P(GoldenSegmentTest, EveryObjectIsCounted) {
  const SizeClassStats& small = class_of(kSmallSlot);
  EXPECT_EQ(small.mallocs, 3000u);
  EXPECT_EQ(small.frees, 1000u);
  const SizeClassStats& of_thread = class_of(kThreadSlot);
  EXPECT_EQ(of_thread.mallocs - of_thread.frees, 700u);
  const SizeClassStats& large = reading_.snapshot.memstats.by_size[0];
  EXPECT_EQ(large.mallocs, 5u);
  EXPECT_EQ(large.frees, 1u);
  EXPECT_EQ(large.live_bytes, 4u << 20);
  EXPECT_EQ(reading_.snapshot.memstats.threads_started, 2u);
}

TEST_P(GoldenSegmentTest, TheSpansHoldWhatIsCounted) {
  const Snapshot& snapshot = reading_.snapshot;
  const auto figures = size_class_figures(snapshot);
  for (const uint32_t bytes : {kSmallSlot, kThreadSlot}) {
    const SizeClassFigures& row = figures[*class_of_object_bytes(snapshot, bytes)];
    EXPECT_GE(row.slots, row.live_objects) << bytes;
    EXPECT_EQ(row.live_objects + row.cached_slots + row.free_slots, row.slots) << bytes;
    EXPECT_TRUE(row.rounding_waste_bytes_estimate.has_value()) << "objects of it are sampled";
  }
  EXPECT_EQ(figures[0].spans, 4u) << "large objects";
  EXPECT_EQ(spans_by_address(snapshot).size(), snapshot.spans.size()) << "none overlap";
  const AddressMap map = address_map(snapshot);
  ASSERT_EQ(map.arenas.size(), 1u);
  uint64_t in_use = 0;
  for (const Span& span : snapshot.spans) {
    if (span.state != LIBALLOC_SPAN_FREE && span.state != LIBALLOC_SPAN_PAGE_CACHED) {
      in_use += span.pages;
    }
  }
  EXPECT_EQ(map.arenas[0].pages[static_cast<size_t>(RunKind::kInUse)], in_use);
}

TEST_P(GoldenSegmentTest, TheProfileLeadsToStacksAndModules) {
  const Snapshot& snapshot = reading_.snapshot;
  EXPECT_EQ(snapshot.memstats.sample_period, 65536u);
  EXPECT_EQ(snapshot.memstats.samples_live, snapshot.live_samples.size());
  EXPECT_GE(snapshot.live_samples.size(), 20u) << "of 8.5 MB at one in 64 KiB";
  bool in_program = false;
  for (const LiveSample& sample : snapshot.live_samples) {
    ASSERT_LT(sample.stack, snapshot.stacks.size());
    for (const uint64_t pc : snapshot.stacks[sample.stack].pcs) {
      for (const Module& module : snapshot.modules) {
        in_program = in_program || (pc > module.start && pc <= module.end &&
                                    module.path == snapshot.identity.executable);
      }
    }
  }
  EXPECT_TRUE(in_program);
}

TEST_P(GoldenSegmentTest, TheFaultThatEndedItIsThere) {
  ASSERT_EQ(reading_.snapshot.faults.size(), 1u);
  const Fault& fault = reading_.snapshot.faults.front();
  EXPECT_NE(fault.address, 0u);
  EXPECT_NE(fault.message.find("free"), std::string::npos) << fault.message;
}

TEST_P(GoldenSegmentTest, TheRingEndsWithTheTablesState) {
  const ReadHealth& health = reading_.snapshot.health;
  EXPECT_TRUE(reading_.ring_drained);
  EXPECT_EQ(health.ring_events, reading_.events.size() + health.ring_missed);
  EXPECT_GT(reading_.events.size(), 100u);
  for (size_t i = 1; i < reading_.events.size(); ++i) {
    ASSERT_EQ(reading_.events[i].sequence, reading_.events[i - 1].sequence + 1);
  }
  EXPECT_EQ(health.torn_records, 0u);
  EXPECT_EQ(health.corrupt_records, 0u);
  EXPECT_EQ(health.dropped_records, 0u);
  EXPECT_EQ(health.ring_corrupt, 0u);
}

TEST_P(GoldenSegmentTest, ThePeakIsKnownFromMinorOneOn) {
  const PeakProfile& peak = reading_.snapshot.peak;
  EXPECT_EQ(peak.heap_inuse != 0, GetParam() >= 1);
  const auto in_use = [](const PeakProfile::InUse& bucket) { return bucket.objects != 0; };
  EXPECT_EQ(std::any_of(peak.buckets.begin(), peak.buckets.end(), in_use), GetParam() >= 1);
}

// The thread of the 700 objects carries one from then on.
TEST_P(GoldenSegmentTest, LabelsAreKnownFromMinorTwoOn) {
  const Snapshot& snapshot = reading_.snapshot;
  const LabelSet expected =
      GetParam() >= 2 ? LabelSet{{"thread", "worker"}} : LabelSet{};
  int of_thread = 0;
  for (const LiveSample& sample : snapshot.live_samples) {
    const bool is_its = sample.requested_bytes == 3000;
    of_thread += is_its;
    EXPECT_EQ(snapshot.label_sets[sample.label_set], is_its ? expected : LabelSet{});
  }
  EXPECT_GE(of_thread, 10) << "of 2.1 MB at one in 64 KiB";
}

INSTANTIATE_TEST_SUITE_P(OfMinor, GoldenSegmentTest, ::testing::Values(0, 1, 2, 3),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace liballoc::agent
