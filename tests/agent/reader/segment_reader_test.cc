// segment_reader_test.cc - a valid segment comes out as it was written in.
#include "agent/reader/segment_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/model/profile_math.h"
#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNow = 1700000100000000000;
constexpr int64_t kCreated = static_cast<int64_t>(SegmentBuilder::kCreatedRealtimeNs);

Snapshot read_once(SegmentBuilder& builder) {
  const auto bytes = builder.bytes();
  SegmentReader reader(SegmentName{builder.header.pid, builder.header.start_ticks, 0});
  auto reading = reader.read(MemorySource(bytes), true, kNow);
  EXPECT_TRUE(reading) << (reading ? "" : reading.error().detail);
  return reading ? std::move(reading->snapshot) : Snapshot{};
}

TEST(SegmentReaderTest, ReadsTheIdentity) {
  SegmentBuilder b(4321, 999);
  b.header.forked_from = 17;
  b.add_module(0x1000, 0x2000, "/lib/libx.so", {0xde, 0xad});
  b.add_module(0x400000, 0x500000, "/usr/bin/demo", {0x0b, 0x1d}, 0x1000, 0x3ff000);
  const ProcessIdentity id = read_once(b).identity;
  EXPECT_EQ(id.key, "liballoc.4321.999");
  EXPECT_EQ(id.pid, 4321u);
  EXPECT_EQ(id.uid, ::getuid());
  EXPECT_EQ(id.start_ticks, 999u);
  EXPECT_EQ(id.pid_namespace, b.header.pid_namespace);
  EXPECT_EQ(id.forked_from, 17u);
  EXPECT_EQ(id.start_time_unix_ns, kCreated - 1000000);
  EXPECT_EQ(id.executable, "/usr/bin/demo");
  EXPECT_THAT(id.command_line, ElementsAre("/usr/bin/demo", "--port", "80"));
  EXPECT_EQ(id.service, "demo");
  EXPECT_EQ(id.cgroup, "/system.slice/demo.service");
  EXPECT_EQ(id.hostname, "testhost");
  EXPECT_EQ(id.liballoc_version, "0.1.0");
  EXPECT_EQ(id.build_id, "0b1d");
}

TEST(SegmentReaderTest, StringsAreCutAtTheFieldAndMadeValidUtf8) {
  SegmentBuilder b;
  b.set_string(b.identity.service, std::string(400, 's'));
  b.set_string(b.identity.hostname, "h\xFFh");
  b.set_command_line({"", "a\xC0", ""});
  const ProcessIdentity id = read_once(b).identity;
  EXPECT_EQ(id.service, std::string(256, 's'));
  EXPECT_EQ(id.hostname, "h\xEF\xBF\xBDh");
  EXPECT_THAT(id.command_line, ElementsAre("", "a\xEF\xBF\xBD", ""));
}

TEST(SegmentReaderTest, SumsCountersOverThreadsAndOverScanAndNoscan) {
  SegmentBuilder b;
  b.threads.resize(3);
  b.set_mallocs(0, 5, 100, 7);
  b.set_mallocs(1, 5, 20, -3);
  b.set_mallocs(2, 5 + SegmentBuilder::kNoscan, 3);
  b.set_frees(2, 5, 50);
  b.set_frees(0, 5 + SegmentBuilder::kNoscan, 3);
  b.set_mallocs(1, SegmentBuilder::kNoscan, 2);
  b.threads[1].large_malloc_bytes = 100000;
  b.threads[0].large_free_bytes = 40000;
  b.set_frees(0, 0, 1);
  b.threads[0].cached_bytes = 11;
  b.threads[2].cached_bytes = 22;
  const MemStats m = read_once(b).memstats;
  ASSERT_EQ(m.by_size.size(), size_t{LIBALLOC_ABI_SIZE_CLASSES});
  const SizeClassStats& c = m.by_size[5];
  EXPECT_EQ(c.object_bytes, 64u);
  EXPECT_EQ(c.mallocs, 123u);
  EXPECT_EQ(c.frees, 53u);
  EXPECT_EQ(c.live_bytes, 70u * 64);
  EXPECT_EQ(c.malloc_bytes, 123u * 64);
  EXPECT_EQ(c.free_bytes, 53u * 64);
  EXPECT_EQ(m.by_size[0].mallocs, 2u);
  EXPECT_EQ(m.by_size[0].live_bytes, 60000u);
  EXPECT_EQ(m.mallocs, 125u);
  EXPECT_EQ(m.frees, 54u);
  EXPECT_EQ(m.heap_objects, 71u);
  EXPECT_EQ(m.heap_alloc, 70u * 64 + 60000);
  EXPECT_EQ(m.alloc, m.heap_alloc);
  EXPECT_EQ(m.total_alloc, 123u * 64 + 100000);
  EXPECT_EQ(m.thread_cache_bytes, 33u);
  EXPECT_EQ(m.epoch, 1u);
  EXPECT_EQ(m.time_unix_ns, kNow);
}

TEST(SegmentReaderTest, ReadsSpansWithTheirRecordNumbersAndCountsThemPerClass) {
  SegmentBuilder b;
  b.add_span(0x100000, 1, LIBALLOC_SPAN_PARTIAL, 3, 5);
  b.spans.push_back({});  // DEAD
  b.add_span(0x200000, 1, LIBALLOC_SPAN_CACHED, 3, 100);
  b.add_span(0x300000, 9, LIBALLOC_SPAN_LARGE);
  b.add_span(0x400000, 4, LIBALLOC_SPAN_FREE);
  b.spans.back().unused_ns = SegmentBuilder::kCreatedMonotonicNs + 500;
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.spans.size(), 4u);
  EXPECT_EQ(s.spans[0].record, 0u);
  EXPECT_EQ(s.spans[1].record, 2u);
  EXPECT_EQ(s.spans[1].base, 0x200000u);
  EXPECT_EQ(s.spans[1].allocated, 100u);
  EXPECT_EQ(s.spans[3].changed_unix_ns, kCreated + 3000);
  EXPECT_EQ(s.spans[3].unused_unix_ns, kCreated + 500);
  EXPECT_EQ(s.spans[0].unused_unix_ns, 0);
  EXPECT_EQ(s.memstats.by_size[3].spans, 2u);
  EXPECT_EQ(s.memstats.by_size[3].slots, 2u * b.size_classes[3].objects);
  EXPECT_EQ(s.memstats.by_size[0].spans, 1u);
  EXPECT_EQ(s.memstats.by_size[0].slots, 1u);
  EXPECT_EQ(s.health.corrupt_records, 0u);
}

TEST(SegmentReaderTest, ReadsTheProfileWithItsReferences) {
  SegmentBuilder b;
  const uint32_t s1 = b.add_stack({0x11, 0x12, 0x13});
  const uint32_t s2 = b.add_stack({0x21}, true);
  b.add_bucket(s2, 4, 32, 10, 250);
  const uint32_t b2 = b.add_bucket(s1, 5 + SegmentBuilder::kNoscan, 48, 3, 120, 1, 40);
  b.add_sample(0xabc0, 40, 48, s1, b2, 77);
  b.samples.push_back({});  // unused slot
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.stacks.size(), 2u);
  EXPECT_THAT(s.stacks[0].pcs, ElementsAre(0x11, 0x12, 0x13));
  EXPECT_FALSE(s.stacks[0].truncated);
  EXPECT_TRUE(s.stacks[1].truncated);
  ASSERT_EQ(s.buckets.size(), 2u);
  EXPECT_EQ(s.buckets[0].stack, 1u);
  EXPECT_EQ(s.buckets[0].allocs, 10u);
  EXPECT_EQ(s.buckets[1].stack, 0u);
  EXPECT_EQ(s.buckets[1].cache_class, 5 + SegmentBuilder::kNoscan);
  ASSERT_EQ(s.live_samples.size(), 1u);
  EXPECT_EQ(s.live_samples[0].address, 0xabc0u);
  EXPECT_EQ(s.live_samples[0].stack, 0u);
  EXPECT_EQ(s.live_samples[0].bucket, 1u);
  EXPECT_EQ(s.live_samples[0].tid, 77u);
  EXPECT_EQ(s.live_samples[0].time_unix_ns, kCreated + 2000);
  const double weight = sample_weight(48, SegmentBuilder::kPeriod);
  EXPECT_EQ(s.memstats.by_size[5].requested_bytes_estimate,
            static_cast<uint64_t>(80 * weight + 0.5));
}

TEST(SegmentReaderTest, UnknownStacksShareOneEmptyStackAtTheEnd) {
  SegmentBuilder b;
  b.add_stack({1});
  const uint32_t bucket = b.add_bucket(0, 1, 8, 1, 8);
  b.add_sample(0x10, 8, 8, 0, bucket);
  b.add_sample(0x20, 8, 8, 1, 0);
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.stacks.size(), 2u);
  EXPECT_THAT(s.stacks[1].pcs, IsEmpty());
  EXPECT_EQ(s.buckets[0].stack, 1u);
  ASSERT_EQ(s.live_samples.size(), 1u);
  EXPECT_EQ(s.live_samples[0].stack, 1u);
  EXPECT_EQ(s.health.dropped_records, 1u) << "a sample that found no room for its bucket";
  EXPECT_EQ(s.health.corrupt_records, 0u);
}

TEST(SegmentReaderTest, ReadsModulesAndFaults) {
  SegmentBuilder b;
  b.add_module(0x7000, 0x9000, "/lib/liby.so", {1, 2, 3}, 0x2000, 0x5000);
  b.modules[0].unloaded_ns = SegmentBuilder::kCreatedMonotonicNs + 9;
  b.add_fault(3, 0xdead, "double free");
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.modules.size(), 1u);
  EXPECT_EQ(s.modules[0].start, 0x7000u);
  EXPECT_EQ(s.modules[0].end, 0x9000u);
  EXPECT_EQ(s.modules[0].file_offset, 0x2000u);
  EXPECT_EQ(s.modules[0].load_bias, 0x5000u);
  EXPECT_EQ(s.modules[0].build_id, "010203");
  EXPECT_EQ(s.modules[0].path, "/lib/liby.so");
  EXPECT_EQ(s.modules[0].unloaded_unix_ns, kCreated + 9);
  ASSERT_EQ(s.faults.size(), 1u);
  EXPECT_EQ(s.faults[0].address, 0xdeadu);
  EXPECT_EQ(s.faults[0].message, "double free");
}

TEST(SegmentReaderTest, GivesTheSameForManyExtentsAndLongerRecords) {
  const auto fill = [](SegmentBuilder& b) {
    for (uint64_t i = 0; i < 50; ++i) {
      const uint32_t stack = b.add_stack({i, i + 1, i + 2});
      const uint32_t bucket = b.add_bucket(stack, 1 + i % 60, 64, i + 1, 64 * (i + 1));
      b.buckets.back().label_set = b.add_label_set({{"n", std::to_string(i)}, {"of", "50"}});
      b.add_sample(0x1000 * (i + 1), 60, 64, stack, bucket);
      b.add_span(0x10000 * (i + 1), 1, LIBALLOC_SPAN_PARTIAL, 2, 1);
    }
    b.threads.resize(5);
    for (size_t t = 0; t < 5; ++t) b.set_mallocs(t, 2, 10 + t);
  };
  SegmentBuilder plain;
  fill(plain);
  SegmentBuilder split;
  fill(split);
  for (const uint32_t kind :
       {LIBALLOC_SECTION_STACKS, LIBALLOC_SECTION_FRAMES, LIBALLOC_SECTION_BUCKETS,
        LIBALLOC_SECTION_SAMPLES, LIBALLOC_SECTION_SPANS, LIBALLOC_SECTION_THREADS,
        LIBALLOC_SECTION_LABELS, LIBALLOC_SECTION_LABEL_SETS}) {
    split.extents[kind] = 4;
  }
  for (uint32_t kind = 1; kind < kSectionKinds; ++kind) split.extra_stride[kind] = 24;
  const Snapshot a = read_once(plain);
  const Snapshot b = read_once(split);
  ASSERT_EQ(a.stacks.size(), 50u);
  ASSERT_EQ(b.stacks.size(), 50u);
  for (size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(a.stacks[i].pcs, b.stacks[i].pcs);
    EXPECT_EQ(a.buckets[i].stack, b.buckets[i].stack);
    EXPECT_EQ(a.buckets[i].allocs, b.buckets[i].allocs);
    EXPECT_EQ(a.label_sets[a.buckets[i].label_set], b.label_sets[b.buckets[i].label_set]);
    EXPECT_EQ(a.live_samples[i].address, b.live_samples[i].address);
    EXPECT_EQ(a.spans[i].record, b.spans[i].record);
    EXPECT_EQ(a.spans[i].base, b.spans[i].base);
  }
  EXPECT_EQ(a.memstats.by_size[2].mallocs, 60u);
  EXPECT_EQ(b.memstats.by_size[2].mallocs, 60u);
  EXPECT_EQ(b.health.corrupt_records, 0u);
}

TEST(SegmentReaderTest, ReportsDroppedRecordsAndGrowthFailures) {
  SegmentBuilder b;
  b.dropped[LIBALLOC_SECTION_SPANS] = 5;
  b.dropped[LIBALLOC_SECTION_STACKS] = 7;
  b.header.growth_failures = 3;
  const ReadHealth health = read_once(b).health;
  EXPECT_EQ(health.dropped_records, 12u);
  EXPECT_EQ(health.growth_failures, 3u);
}

TEST(SegmentReaderTest, LeavesOutTornRecordsAndCountsThem) {
  SegmentBuilder b;
  b.add_span(0x1000, 1, LIBALLOC_SPAN_PARTIAL, 2, 1);
  b.add_span(0x2000, 1, LIBALLOC_SPAN_PARTIAL, 2, 1);
  b.spans[0].sequence = 5;
  const uint32_t bucket = b.add_bucket(0, 1, 8, 1, 8);
  b.add_sample(0x10, 8, 8, 0, bucket);
  b.samples[0].sequence = 1;
  const Snapshot s = read_once(b);
  ASSERT_EQ(s.spans.size(), 1u);
  EXPECT_EQ(s.spans[0].base, 0x2000u);
  EXPECT_THAT(s.live_samples, IsEmpty());
  EXPECT_EQ(s.health.torn_records, 2u);
}

TEST(SegmentReaderTest, KeepsTheLastWholeMemstatsWhenTheWriterDiedInsideThem) {
  SegmentBuilder b;
  b.memstats.sequence = 2;
  b.memstats.arenas = 11;
  SegmentReader reader(SegmentName{1234, 5678, 0});
  auto bytes = b.bytes();
  ASSERT_TRUE(reader.read(MemorySource(bytes), true, kNow));
  b.memstats.sequence = 3;
  b.memstats.arenas = 999;
  bytes = b.bytes();
  const auto torn = reader.read(MemorySource(bytes), false, kNow);
  ASSERT_TRUE(torn);
  EXPECT_EQ(torn->snapshot.memstats.arenas, 11u);
  EXPECT_EQ(torn->snapshot.health.torn_records, 1u);
  // An agent that comes too late for a whole record still shows what there is.
  SegmentReader late(SegmentName{1234, 5678, 0});
  const auto raw = late.read(MemorySource(bytes), false, kNow);
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->snapshot.memstats.arenas, 999u);
  EXPECT_EQ(raw->snapshot.health.torn_records, 1u);
}

TEST(SegmentReaderTest, HandsOutEachEventOnceAndTellsTheEnd) {
  SegmentBuilder b;
  b.push_event(LIBALLOC_EVENT_HEAP_GROW, 1, 2, 3, 4, 5);
  b.header.exit_state = LIBALLOC_EXIT_CLEAN;
  b.header.exit_monotonic_ns = SegmentBuilder::kCreatedMonotonicNs + 77;
  SegmentReader reader(SegmentName{1234, 5678, 0});
  auto bytes = b.bytes();
  const auto first = reader.read(MemorySource(bytes), true, kNow);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->events.size(), 1u);
  const Event& event = first->events[0];
  EXPECT_EQ(event.sequence, 0u);
  EXPECT_EQ(event.kind, uint32_t{LIBALLOC_EVENT_HEAP_GROW});
  EXPECT_EQ(event.time_unix_ns, kCreated + 10);
  EXPECT_THAT((std::vector{event.a, event.b, event.c, event.d, event.e}),
              ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(first->exit_state, uint64_t{LIBALLOC_EXIT_CLEAN});
  EXPECT_EQ(first->exit_time_unix_ns, kCreated + 77);
  EXPECT_EQ(first->last_update_unix_ns, kCreated + 1000);
  const auto second = reader.read(MemorySource(bytes), true, kNow);
  ASSERT_TRUE(second);
  EXPECT_THAT(second->events, IsEmpty());
  EXPECT_EQ(second->snapshot.memstats.epoch, 2u);
  EXPECT_EQ(second->snapshot.health.ring_events, 1u);
}

}  // namespace
}  // namespace liballoc::agent
