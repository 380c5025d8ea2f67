// segment_profile_test.cc - stacks, modules, buckets and live samples: stored once, counted
// exactly, dropped in balance.
#include "tests/liballoc/telemetry/segment_fixture.h"

namespace liballoc {
namespace {

uint64_t hash_of(const std::vector<uintptr_t>& pcs) {
  uint64_t hash = 1;
  for (const uintptr_t pc : pcs) hash = hash * 31 + pc;
  return hash;
}

class SegmentProfileTest : public SegmentTest {
 protected:
  uint32_t intern(const std::vector<uintptr_t>& pcs, bool truncated = false, uint64_t now_ns = 1) {
    return segment_->intern_stack(pcs.data(), static_cast<uint32_t>(pcs.size()), truncated,
                                  hash_of(pcs), now_ns);
  }
  liballoc_abi_sample sample_of(uint32_t stack, uint64_t allocated = 64, uint64_t period = 512) {
    liballoc_abi_sample sample{};
    sample.sequence = 999;
    sample.address = 0xdead0;
    sample.requested_bytes = 61;
    sample.allocated_bytes = allocated;
    sample.time_ns = 5;
    sample.period = period;
    sample.stack = stack;
    sample.tid = 6;
    return sample;
  }
  // The bucket that such a sample is counted in.
  uint32_t bucket_of(uint32_t stack, uint32_t cache_class, uint64_t allocated, uint64_t period) {
    liballoc_abi_sample sample = sample_of(stack, allocated, period);
    segment_->add_sample(&sample, cache_class);
    return sample.bucket;
  }
  std::vector<uint64_t> frames_of(uint32_t stack) const {
    const FileView file = view();
    const auto record = file.records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).at(stack - 1);
    const auto frames = file.records<liballoc_abi_frame>(LIBALLOC_SECTION_FRAMES);
    std::vector<uint64_t> pcs;
    for (uint32_t i = 0; i < record.depth; i++) pcs.push_back(frames.at(record.first_frame + i).pc);
    return pcs;
  }
};

TEST_F(SegmentProfileTest, StackIsStoredOnce) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(intern({10, 20, 30}), 1u);
  EXPECT_EQ(intern({10, 20, 31}), 2u);
  EXPECT_EQ(intern({10, 20, 30}), 1u);
  EXPECT_EQ(intern({10, 20}), 3u);
  EXPECT_EQ(intern({10, 20, 30}, true), 4u);  // cut is another stack
  EXPECT_EQ(view().records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).size(), 4u);
  EXPECT_EQ(frames_of(2), (std::vector<uint64_t>{10, 20, 31}));
  EXPECT_EQ(view().records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).at(3).flags, 1u);
  EXPECT_EQ(view().records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).at(0).hash,
            hash_of({10, 20, 30}));
}

TEST_F(SegmentProfileTest, StacksOfEqualHashAreToldApart) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const uintptr_t a[] = {1, 2}, b[] = {3, 4};
  EXPECT_EQ(segment_->intern_stack(a, 2, false, 7, 1), 1u);
  EXPECT_EQ(segment_->intern_stack(b, 2, false, 7, 1), 2u);
  EXPECT_EQ(segment_->intern_stack(a, 2, false, 7, 1), 1u);
  EXPECT_EQ(segment_->intern_stack(b, 2, false, 7, 1), 2u);
}

TEST_F(SegmentProfileTest, EmptyStackIsAStack) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(intern({}), 1u);
  EXPECT_EQ(intern({}), 1u);
  EXPECT_EQ(intern({5}), 2u);
  EXPECT_EQ(frames_of(2), std::vector<uint64_t>{5});
}

TEST_F(SegmentProfileTest, StacksAndFramesGrowOverExtentsAndStayWhole) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  constexpr uint32_t kStacks = 3000;
  const auto pcs_of = [](uint32_t i) {
    std::vector<uintptr_t> pcs;
    for (uint32_t k = 0; k < 1 + i % 40; k++) pcs.push_back(uintptr_t{i} * 100 + k);
    return pcs;
  };
  for (uint32_t i = 0; i < kStacks; i++) ASSERT_EQ(intern(pcs_of(i)), i + 1);
  for (uint32_t i = 0; i < kStacks; i++) ASSERT_EQ(intern(pcs_of(i)), i + 1);
  const FileView file = view();
  const auto stacks = file.records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS);
  const auto frames = file.records<liballoc_abi_frame>(LIBALLOC_SECTION_FRAMES);
  ASSERT_EQ(stacks.size(), kStacks);
  EXPECT_GE(file.extents(LIBALLOC_SECTION_STACKS).size(), 4u);
  EXPECT_GE(file.extents(LIBALLOC_SECTION_FRAMES).size(), 4u);
  for (uint32_t i = 0; i < kStacks; i++) {
    const auto pcs = pcs_of(i);
    ASSERT_EQ(stacks[i].depth, pcs.size());
    for (uint32_t k = 0; k < pcs.size(); k++)
      ASSERT_EQ(frames.at(stacks[i].first_frame + k).pc, pcs[k]);
  }
}

TEST_F(SegmentProfileTest, StacksThatDoNotFitAreCounted) {
  ASSERT_EQ(create_small(), SegmentStatus::kOk);
  uint32_t stored = 0, refused = 0;
  for (uint32_t i = 0; i < 20000; i++) {
    std::vector<uintptr_t> pcs(64, i + 1);
    (intern(pcs) != 0 ? stored : refused)++;
  }
  ASSERT_GT(refused, 0u);
  const FileView file = view();
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_STACKS), refused);
  EXPECT_EQ(file.records<liballoc_abi_stack>(LIBALLOC_SECTION_STACKS).size(), stored);
  EXPECT_EQ(frames_of(stored), std::vector<uint64_t>(64, stored));
  EXPECT_EQ(intern(std::vector<uintptr_t>(64, 1)), 1u);  // known ones are still found
}

// ---- modules ------------------------------------------------------------------------------------

// Modules as the finder of the test sees them: [start, start + 0x1000) of each.
std::vector<std::pair<uint64_t, std::string>>* g_modules = nullptr;
int g_finder_calls = 0;

bool find_in_test_modules(uintptr_t pc, liballoc_abi_module* out) {
  g_finder_calls++;
  for (const auto& [start, path] : *g_modules) {
    if (pc < start || pc >= start + 0x1000) continue;
    *out = {};
    out->start = start;
    out->end = start + 0x1000;
    out->path_bytes = static_cast<uint32_t>(path.size());
    memcpy(out->path, path.data(), path.size());
    return true;
  }
  return false;
}

class SegmentModulesTest : public SegmentProfileTest {
 protected:
  void SetUp() override {
    g_modules = &modules_;
    g_finder_calls = 0;
    ASSERT_EQ(create({.find_module = find_in_test_modules}), SegmentStatus::kOk);
  }
  void TearDown() override { g_modules = nullptr; }
  std::vector<liballoc_abi_module> seen() const {
    return view().records<liballoc_abi_module>(LIBALLOC_SECTION_MODULES);
  }
  std::vector<std::pair<uint64_t, std::string>> modules_ = {{0x10000, "/lib/a.so"},
                                                            {0x20000, "/lib/b.so"}};
};

TEST_F(SegmentModulesTest, ModulesOfANewStackAreNotedOnce) {
  intern({0x10010, 0x20010, 0x10020}, false, 50);
  ASSERT_EQ(seen().size(), 2u);
  EXPECT_STREQ(seen()[0].path, "/lib/a.so");
  EXPECT_EQ(seen()[0].start, 0x10000u);
  EXPECT_EQ(seen()[0].loaded_ns, 50u);
  EXPECT_EQ(seen()[0].unloaded_ns, 0u);
  EXPECT_STREQ(seen()[1].path, "/lib/b.so");
  EXPECT_EQ(g_finder_calls, 2);
  intern({0x10010, 0x20010, 0x10020}, false, 60);
  EXPECT_EQ(g_finder_calls, 2);  // a known stack asks nobody
  intern({0x10011}, false, 70);
  EXPECT_EQ(seen().size(), 2u);
}

TEST_F(SegmentModulesTest, ReturnAddressBelongsToTheModuleOfItsCall) {
  modules_.push_back({0x21000, "/lib/behind-b.so"});
  intern({0x21000});  // what follows the last call in b.so
  ASSERT_EQ(seen().size(), 1u);
  EXPECT_STREQ(seen()[0].path, "/lib/b.so");
}

TEST_F(SegmentModulesTest, ModuleWithoutAPathIsTheProgram) {
  modules_ = {{0x10000, ""}};
  intern({0x10010});
  ASSERT_EQ(seen().size(), 1u);
  EXPECT_EQ(seen()[0].path, std::filesystem::read_symlink("/proc/self/exe").string());
  EXPECT_EQ(seen()[0].path_bytes, strlen(seen()[0].path));
}

TEST_F(SegmentModulesTest, ModuleInAnothersPlaceEndsIt) {
  intern({0x10010}, false, 50);
  modules_ = {{0x10800, "/lib/new.so"}};
  intern({0x10900}, false, 90);
  ASSERT_EQ(seen().size(), 2u);
  EXPECT_EQ(seen()[0].unloaded_ns, 90u);
  EXPECT_STREQ(seen()[1].path, "/lib/new.so");
  EXPECT_EQ(seen()[1].loaded_ns, 90u);
  modules_ = {{0x10000, "/lib/a.so"}};
  intern({0x10020}, false, 95);
  ASSERT_EQ(seen().size(), 3u);  // a.so again, a record of its own
  EXPECT_EQ(seen()[1].unloaded_ns, 95u);
  EXPECT_EQ(seen()[2].unloaded_ns, 0u);
}

TEST_F(SegmentModulesTest, ModulesGrowOverExtents) {
  modules_.clear();
  for (uint64_t i = 1; i <= 100; i++) modules_.push_back({i << 20, "/lib/" + std::to_string(i)});
  for (uint64_t i = 1; i <= 100; i++) intern({(i << 20) + 8});
  ASSERT_EQ(seen().size(), 100u);
  EXPECT_STREQ(seen()[99].path, "/lib/100");
}

// ---- buckets and samples ------------------------------------------------------------------------

TEST_F(SegmentProfileTest, BucketIsOnePerKeyAndLane) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  EXPECT_EQ(bucket_of(1, 5, 64, 512), 1u);
  EXPECT_EQ(bucket_of(2, 5, 64, 512), 2u);
  EXPECT_EQ(bucket_of(1, 6, 64, 512), 3u);
  EXPECT_EQ(bucket_of(1, 5, 80, 512), 4u);
  EXPECT_EQ(bucket_of(1, 5, 64, 1024), 5u);
  EXPECT_EQ(bucket_of(1, 5, 64, 512), 1u);
  const auto buckets = view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS);
  EXPECT_EQ(buckets.at(4).stack, 1u);
  EXPECT_EQ(buckets.at(4).cache_class, 5u);
  EXPECT_EQ(buckets.at(4).allocated_bytes, 64u);
  EXPECT_EQ(buckets.at(4).period, 1024u);
  EXPECT_EQ(buckets.at(4).allocs, 1u);
  EXPECT_EQ(buckets.at(0).allocs, 2u);
}

TEST_F(SegmentProfileTest, EachLaneHasItsBucketOfAKeyAndAFreeCountsWhereItsAllocationDid) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  const uint32_t stack = intern({1, 2});
  liballoc_abi_sample sample = sample_of(stack);
  uint32_t buckets[kLanes], records[kLanes];
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    records[lane] = segment_->add_sample(&sample, 5, false, lane);
    buckets[lane] = sample.bucket;
    ASSERT_NE(records[lane], 0u);
    EXPECT_EQ(buckets[lane], lane + 1);
  }
  segment_->add_sample(&sample, 5, false, 3);
  EXPECT_EQ(sample.bucket, buckets[3]) << "the lane's own";
  EXPECT_TRUE(segment_->remove_sample(records[1], 6, 9, nullptr, 7));
  const auto read = view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS);
  ASSERT_EQ(read.size(), kLanes);
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    EXPECT_EQ(read[lane].stack, stack);
    EXPECT_EQ(read[lane].allocs, lane == 3 ? 2u : 1u);
    EXPECT_EQ(read[lane].frees, lane == 1 ? 1u : 0u);
  }
}

TEST_F(SegmentProfileTest, RecordsOfSamplesThatAnotherLaneEndsAreUsedAgain) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_sample sample = sample_of(intern({1, 2}));
  for (int round = 0; round < 500; round++) {
    uint32_t records[20];
    for (uint32_t& record : records) {
      record = segment_->add_sample(&sample, 5, false, 1);
      ASSERT_NE(record, 0u);
    }
    for (const uint32_t record : records) ASSERT_TRUE(segment_->remove_sample(record, 6, 9, nullptr, 2));
  }
  EXPECT_LE(view().records<liballoc_abi_sample>(LIBALLOC_SECTION_SAMPLES).size(), 20u + 2 * SampleLane::kSpare);
}

TEST_F(SegmentProfileTest, SampleIsReadAsAddedAndCountedInItsBucket) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_sample sample = sample_of(1);
  const uint32_t record = segment_->add_sample(&sample, 5);
  ASSERT_EQ(record, 1u);
  EXPECT_EQ(sample.bucket, 1u);
  const liballoc_abi_sample seen =
      view().records<liballoc_abi_sample>(LIBALLOC_SECTION_SAMPLES).at(0);
  EXPECT_EQ(seen.sequence, 2u);
  EXPECT_EQ(seen.address, 0xdead0u);
  EXPECT_EQ(seen.requested_bytes, 61u);
  EXPECT_EQ(seen.allocated_bytes, 64u);
  EXPECT_EQ(seen.time_ns, 5u);
  EXPECT_EQ(seen.period, 512u);
  EXPECT_EQ(seen.stack, 1u);
  EXPECT_EQ(seen.bucket, 1u);
  EXPECT_EQ(seen.tid, 6u);
  ASSERT_NE(segment_->sample(record), nullptr);
  EXPECT_EQ(segment_->sample(record)->address, 0xdead0u);
  liballoc_abi_bucket counts = view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS).at(0);
  EXPECT_EQ(counts.allocs, 1u);
  EXPECT_EQ(counts.alloc_requested, 61u);
  EXPECT_EQ(counts.frees, 0u);

  liballoc_abi_sample was{};
  EXPECT_TRUE(segment_->remove_sample(record, 7, 25, &was));
  EXPECT_EQ(was.address, 0xdead0u);
  EXPECT_EQ(was.bucket, 1u);
  EXPECT_EQ(segment_->sample(record), nullptr);
  EXPECT_FALSE(segment_->remove_sample(record, 7, 25, &was));
  EXPECT_FALSE(segment_->remove_sample(4711, 7, 25, &was));
  EXPECT_EQ(view().records<liballoc_abi_sample>(LIBALLOC_SECTION_SAMPLES).at(0).address, 0u);
  counts = view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS).at(0);
  EXPECT_EQ(counts.allocs, 1u);
  EXPECT_EQ(counts.frees, 1u);
  EXPECT_EQ(counts.free_requested, 61u);
  EXPECT_EQ(segment_->add_sample(&sample, 5), record);
}

TEST_F(SegmentProfileTest, TheRingTellsOfASampleAndOfItsFree) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_sample sample = sample_of(3);
  const uint32_t record = segment_->add_sample(&sample, 5);
  ASSERT_TRUE(segment_->remove_sample(record, 7, 25, nullptr));
  EXPECT_FALSE(segment_->remove_sample(record, 7, 26, nullptr));
  const auto ring = view().extents(LIBALLOC_SECTION_RING).at(0);
  ASSERT_EQ(ring.count, 2u) << "nothing is told of what was not done";
  const auto added = view().at<liballoc_abi_record>(ring.offset);
  EXPECT_EQ(added.kind, uint32_t{LIBALLOC_EVENT_SAMPLE});
  EXPECT_EQ(added.tid, 6u);
  EXPECT_EQ(added.time_ns, 5u);
  EXPECT_EQ(added.a, 0xdead0u);
  EXPECT_EQ(added.b, 61u);
  EXPECT_EQ(added.c, 64u);
  EXPECT_EQ(added.d, 3u | uint64_t{1} << 32);
  EXPECT_EQ(added.e, 512u);
  const auto freed = view().at<liballoc_abi_record>(ring.offset + ring.stride);
  EXPECT_EQ(freed.kind, uint32_t{LIBALLOC_EVENT_SAMPLE_FREE});
  EXPECT_EQ(freed.tid, 7u);
  EXPECT_EQ(freed.time_ns, 25u);
  EXPECT_EQ(freed.a, 0xdead0u);
  EXPECT_EQ(freed.d, added.d);
  EXPECT_EQ(freed.e, 20u) << "how long it lived";
}

TEST_F(SegmentProfileTest, SampleWithoutAnAddressIsDroppedAndCounted) {
  ASSERT_EQ(create(), SegmentStatus::kOk);
  liballoc_abi_sample sample = sample_of(1);
  sample.address = 0;
  EXPECT_EQ(segment_->add_sample(&sample, 5), 0u);
  EXPECT_EQ(view().dropped(LIBALLOC_SECTION_SAMPLES), 1u);
  EXPECT_TRUE(view().records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS).empty());
}

TEST_F(SegmentProfileTest, FullTablesKeepAllocationsAndFreesInBalance) {
  ASSERT_EQ(create_small(), SegmentStatus::kOk);
  std::vector<uint32_t> live;
  uint64_t refused_buckets = 0, refused_samples = 0;
  for (uint32_t i = 0; i < 60000; i++) {
    // The last third goes to buckets that there are: samples alone run out then.
    liballoc_abi_sample sample = sample_of(i < 40000 ? 1 + i / 2 : 1 + i % 100);
    const uint32_t record = segment_->add_sample(&sample, 5);
    if (sample.bucket == 0) refused_buckets++;
    if (record == 0)
      refused_samples++;
    else
      live.push_back(record);
  }
  ASSERT_GT(refused_buckets, 0u);
  ASSERT_GT(refused_samples, refused_buckets);
  const FileView file = view();
  const auto sums = [&] {
    std::pair<uint64_t, uint64_t> sum;
    for (const auto& bucket : file.records<liballoc_abi_bucket>(LIBALLOC_SECTION_BUCKETS)) {
      sum.first += bucket.allocs;
      sum.second += bucket.frees;
    }
    return sum;
  };
  EXPECT_EQ(sums(), std::make_pair(uint64_t{live.size()}, uint64_t{0}));
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_BUCKETS), refused_buckets);
  EXPECT_EQ(file.dropped(LIBALLOC_SECTION_SAMPLES), refused_samples);
  for (const uint32_t record : live) EXPECT_TRUE(segment_->remove_sample(record, 1, 6, nullptr));
  EXPECT_EQ(sums(), std::make_pair(uint64_t{live.size()}, uint64_t{live.size()}));
}

}  // namespace
}  // namespace liballoc
