// heap_profile_test.cc - what a heap profile must contain, read back with protobuf's own decoder.
#include "agent/pprof/heap_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tests/agent/pprof/testing.h"

namespace liballoc::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const SourceFrame kMain{"main", "main", "/src/shop.cc", 10, 5};
const SourceFrame kServe{"serve(int)", "_Z5servei", "/src/shop.cc", 20, 15};

Profile heap(const Snapshot& s, SymbolSource* symbols = nullptr) {
  return decode(encode_profile(s, ProfileKind::kHeap, {}, symbols).bytes);
}

std::vector<std::string> sample_types(const Profile& p) {
  std::vector<std::string> types;
  for (const auto& t : p.sample_type())
    types.push_back(text(p, t.type()) + "/" + text(p, t.unit()));
  return types;
}

// A location's address lies inside the call, one before where it returns to.
std::vector<uint64_t> return_addresses(const Profile& p, int sample) {
  std::vector<uint64_t> out;
  for (uint64_t id : p.sample(sample).location_id()) {
    out.push_back(p.location(static_cast<int>(id) - 1).address() + 1);
  }
  return out;
}

const test::pprof::Mapping& mapping_of(const Profile& p, uint64_t return_address) {
  for (const auto& l : p.location()) {
    if (l.address() == return_address - 1) return p.mapping(static_cast<int>(l.mapping_id()) - 1);
  }
  ADD_FAILURE() << "no location of " << return_address;
  return p.mapping(0);
}

// What pprof's CheckValid, Parca and Pyroscope ask of any profile.
void expect_well_formed(const Profile& p) {
  ASSERT_GE(p.string_table_size(), 1);
  EXPECT_EQ(p.string_table(0), "");
  for (int i = 0; i < p.mapping_size(); ++i) EXPECT_EQ(p.mapping(i).id(), 1u + i);
  for (int i = 0; i < p.function_size(); ++i) EXPECT_EQ(p.function(i).id(), 1u + i);
  for (int i = 0; i < p.location_size(); ++i) {
    const auto& l = p.location(i);
    EXPECT_EQ(l.id(), 1u + i);
    ASSERT_GE(l.mapping_id(), 1u);
    ASSERT_LE(l.mapping_id(), static_cast<uint64_t>(p.mapping_size()));
    const auto& m = p.mapping(static_cast<int>(l.mapping_id()) - 1);
    EXPECT_FALSE(text(p, m.filename()).empty());
    if (m.memory_limit() != 0) {
      EXPECT_GE(l.address(), m.memory_start());
      EXPECT_LT(l.address(), m.memory_limit());
    }
    EXPECT_TRUE(!m.has_functions() || l.line_size() > 0);
  }
  for (const auto& s : p.sample()) {
    EXPECT_EQ(s.value_size(), p.sample_type_size());
    EXPECT_GT(s.location_id_size(), 0);
    for (uint64_t id : s.location_id()) {
      EXPECT_GE(id, 1u);
      EXPECT_LE(id, static_cast<uint64_t>(p.location_size()));
    }
  }
}

TEST(HeapProfile, HasTheFourSampleTypesInOrderAndThePeriod) {
  const Profile p = heap(make_snapshot());
  EXPECT_THAT(sample_types(p), ElementsAre("alloc_objects/count", "alloc_space/bytes",
                                           "inuse_objects/count", "inuse_space/bytes"));
  EXPECT_EQ(text(p, p.period_type().type()), "space");
  EXPECT_EQ(text(p, p.period_type().unit()), "bytes");
  EXPECT_EQ(p.period(), static_cast<int64_t>(kPeriod));
  EXPECT_EQ(p.time_nanos(), 1'700'000'000'000'000'000);
  EXPECT_EQ(p.duration_nanos(), 0);
  expect_well_formed(p);
}

TEST(HeapProfile, DiffersBetweenHeapAndAllocsInTheDefaultSampleTypeOnly) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 10, 4});
  const EncodedProfile heap_file = encode_profile(s, ProfileKind::kHeap, {}, nullptr);
  const EncodedProfile allocs_file = encode_profile(s, ProfileKind::kAllocs, {}, nullptr);
  EXPECT_EQ(heap_file.filename, "heap");
  EXPECT_EQ(allocs_file.filename, "allocs");
  EXPECT_EQ(heap_file.content_type, "application/octet-stream");
  const Profile h = decode(heap_file.bytes), a = decode(allocs_file.bytes);
  EXPECT_EQ(h.default_sample_type(), 0);
  EXPECT_EQ(text(a, a.default_sample_type()), "alloc_space");
  ASSERT_EQ(h.sample_size(), 1);
  EXPECT_EQ(h.sample(0).SerializeAsString(), a.sample(0).SerializeAsString());
}

TEST(HeapProfile, OfThePeakShowsWhatWasInUseThen) {
  Snapshot s = make_snapshot();
  s.memstats.sample_period = 1;
  add_bucket(s, {{kAppStart + 16}, 64, 10, 1000, 1000, 1});
  add_bucket(s, {{kAppStart + 32}, 64, 10, 1000, 1, 1});
  s.peak.heap_inuse = 1 << 20;
  s.peak.time_unix_ns = 12345;
  s.peak.buckets = {{7, 70}};  // shorter than the buckets: those had nothing
  const EncodedProfile file = encode_profile(s, ProfileKind::kPeakHeap, {}, nullptr);
  EXPECT_EQ(file.filename, "peakheap");
  const Profile p = decode(file.bytes);
  EXPECT_EQ(p.time_nanos(), 12345);
  ASSERT_EQ(p.sample_size(), 1);
  EXPECT_THAT(p.sample(0).value(), ElementsAre(7, 70, 7, 70));
}

TEST(HeapProfile, EstimatesTheWholeFromTheSamples) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 10, 4});
  add_bucket(s, {{kAppStart + 32}, 8 << 20, 8'000'000, 3, 1});
  const Profile p = heap(s);
  const double small = 1 / (1 - std::exp(-64.0 / kPeriod));
  const double large = 1 / (1 - std::exp(-double{8 << 20} / kPeriod));
  ASSERT_EQ(p.sample_size(), 2);
  const auto value = [&](int i, int column) {
    return static_cast<double>(p.sample(i).value(column));
  };
  EXPECT_NEAR(value(0, 0), 10 * small, 1);
  EXPECT_NEAR(value(0, 1), 600 * small, 1);
  EXPECT_NEAR(value(0, 2), 6 * small, 1);
  EXPECT_NEAR(value(0, 3), 360 * small, 1);
  EXPECT_NEAR(value(1, 0), 3 * large, 1);
  EXPECT_NEAR(value(1, 3), 16'000'000 * large, 1);
}

TEST(HeapProfile, IsExactWhenEveryObjectIsSampled) {
  Snapshot s = make_snapshot();
  s.memstats.sample_period = 1;
  add_bucket(s, {{kAppStart + 16}, 64, 50, 1000, 1, 1});
  EXPECT_THAT(heap(s).sample(0).value(), ElementsAre(1000, 50000, 999, 49950));
}

TEST(HeapProfile, LabelsSamplesWithTheObjectSize) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 1, 0});
  const Profile p = heap(s);
  ASSERT_EQ(p.sample(0).label_size(), 1);
  const auto& label = p.sample(0).label(0);
  EXPECT_EQ(text(p, label.key()), "bytes");
  EXPECT_EQ(text(p, label.num_unit()), "bytes");
  EXPECT_EQ(label.num(), 64);
  EXPECT_EQ(label.str(), 0);
}

TEST(HeapProfile, AddsUpBucketsOfOneStackAndSizeWhateverTheirPeriod) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 64, 5, 0, 1});
  add_bucket(s, {{kAppStart + 16}, 64, 64, 2, 1, 0});
  add_bucket(s, {{kAppStart + 16}, 128, 128, 1, 0, 1});
  const Profile p = heap(s);
  ASSERT_EQ(p.sample_size(), 2);
  EXPECT_THAT(p.sample(0).value(), ElementsAre(7, 448, 6, 384));
  EXPECT_EQ(p.location_size(), 1);
}

TEST(HeapProfile, PutsTheMainExecutableFirstAndDescribesMappingsFully) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kLibStart + 100, kAppStart + 16}, 64, 60, 1, 0});
  const Profile p = heap(s);
  ASSERT_EQ(p.mapping_size(), 2);  // the allocator has no location
  EXPECT_EQ(text(p, p.mapping(0).filename()), "/opt/shop/bin/shop");
  EXPECT_EQ(text(p, p.mapping(0).build_id()), "0123456789abcdef");
  EXPECT_EQ(p.mapping(0).memory_start(), kAppStart);
  EXPECT_EQ(p.mapping(0).memory_limit(), kAppEnd);
  EXPECT_EQ(p.mapping(0).file_offset(), 0x2000u);
  EXPECT_EQ(text(p, p.mapping(1).filename()), "/usr/lib/libshop.so.1");
  EXPECT_THAT(return_addresses(p, 0), ElementsAre(kLibStart + 100, kAppStart + 16));
  expect_well_formed(p);
}

TEST(HeapProfile, KeepsTheMainExecutableEvenWithoutLocationsOrModules) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kLibStart + 100}, 64, 60, 1, 0});
  EXPECT_EQ(text(heap(s), heap(s).mapping(0).filename()), "/opt/shop/bin/shop");
  s.modules.clear();
  s.identity.build_id = "feed";
  const Profile p = heap(s);
  EXPECT_EQ(text(p, p.mapping(0).filename()), "/opt/shop/bin/shop");
  EXPECT_EQ(text(p, p.mapping(0).build_id()), "feed");
  EXPECT_EQ(text(p, mapping_of(p, kLibStart + 100).filename()), "[anon]");
  expect_well_formed(p);
}

TEST(HeapProfile, MapsAddressesOutsideModulesToAnonPerGap) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{0x1000, 0x1fff, 0x3000, kLibStart - 8, kLibEnd + 64, UINT64_MAX}, 64, 60, 1, 0});
  const Profile p = heap(s);
  expect_well_formed(p);
  EXPECT_EQ(text(p, mapping_of(p, 0x1000).filename()), "[anon]");
  EXPECT_EQ(mapping_of(p, 0x1000).id(), mapping_of(p, 0x3000).id());
  EXPECT_NE(mapping_of(p, 0x1000).id(), mapping_of(p, kLibStart - 8).id());
  EXPECT_NE(mapping_of(p, kLibEnd + 64).id(), mapping_of(p, kLibStart - 8).id());
  EXPECT_FALSE(mapping_of(p, 0x1000).has_functions());
}

TEST(HeapProfile, KeepsAReturnAddressBehindTheLastInstructionInsideItsMapping) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppEnd}, 64, 60, 1, 0});
  const Profile p = heap(s);
  EXPECT_THAT(return_addresses(p, 0), ElementsAre(kAppEnd));
  EXPECT_EQ(text(p, mapping_of(p, kAppEnd).filename()), "/opt/shop/bin/shop");
  expect_well_formed(p);
}

TEST(HeapProfile, HasAddressesInsideTheCallWhichReadersLookUpAsTheyAre) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16, 0x2000}, 64, 60, 1, 0});
  const Profile p = heap(s);
  EXPECT_EQ(p.location(0).address(), kAppStart + 15);
  EXPECT_EQ(p.location(1).address(), 0x1fffu);
  EXPECT_EQ(mapping_of(p, 0x2000).memory_start(), 0x1000u) << "the page that the call lies in";
}

TEST(HeapProfile, PrefersWhatIsMappedNowToWhatWasUnmapped) {
  Snapshot s = make_snapshot();
  Module plugin;
  plugin.start = kLibStart - 0x1000;
  plugin.end = kLibStart + 0x1000;
  plugin.path = "/opt/plugin.so";
  plugin.unloaded_unix_ns = 5;
  s.modules.push_back(plugin);
  add_bucket(s, {{kLibStart - 0x100, kLibStart + 0x100}, 64, 60, 1, 0});
  const Profile p = heap(s);
  EXPECT_EQ(text(p, mapping_of(p, kLibStart - 0x100).filename()), "/opt/plugin.so");
  EXPECT_EQ(text(p, mapping_of(p, kLibStart + 0x100).filename()), "/usr/lib/libshop.so.1");
}

TEST(HeapProfile, SetsHasFunctionsOnlyWhenAllLocationsAreSymbolised) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kLibStart + 100, kAppStart + 16}, 64, 60, 1, 0});
  add_bucket(s, {{kLibStart + 200, kAppStart + 16}, 64, 60, 1, 0});
  MapSymbols symbols;
  symbols.add(kLibStart + 100, {kServe});
  symbols.add(kAppStart + 16, {kServe, kMain});
  const Profile p = heap(s, &symbols);
  expect_well_formed(p);
  const auto& app = mapping_of(p, kAppStart + 16);
  EXPECT_TRUE(app.has_functions());
  EXPECT_TRUE(app.has_filenames());
  EXPECT_TRUE(app.has_line_numbers());
  EXPECT_TRUE(app.has_inline_frames());
  EXPECT_FALSE(mapping_of(p, kLibStart + 100).has_functions());
  EXPECT_EQ(symbols.lookups, 3) << "one for each address, however many stacks have it";
}

TEST(HeapProfile, WritesInlinedFramesInnermostFirst) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 1, 0});
  MapSymbols symbols;
  symbols.add(kAppStart + 16, {kServe, kMain});
  const Profile p = heap(s, &symbols);
  ASSERT_EQ(p.location(0).line_size(), 2);
  const auto& inner = p.function(static_cast<int>(p.location(0).line(0).function_id()) - 1);
  const auto& outer = p.function(static_cast<int>(p.location(0).line(1).function_id()) - 1);
  EXPECT_EQ(text(p, inner.name()), "serve(int)");
  EXPECT_EQ(text(p, inner.system_name()), "_Z5servei");
  EXPECT_EQ(text(p, inner.filename()), "/src/shop.cc");
  EXPECT_EQ(inner.start_line(), 15);
  EXPECT_EQ(p.location(0).line(0).line(), 20);
  EXPECT_EQ(text(p, outer.name()), "main");
}

TEST(HeapProfile, AsksForNoSymbolsWhenToldNotTo) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 1, 0});
  MapSymbols symbols;
  symbols.add(kAppStart + 16, {kMain});
  ProfileOptions options;
  options.symbolize = false;
  const Profile p = decode(encode_profile(s, ProfileKind::kHeap, options, &symbols).bytes);
  EXPECT_EQ(symbols.lookups, 0);
  EXPECT_EQ(p.function_size(), 0);
  EXPECT_EQ(text(p, p.mapping(0).build_id()), "0123456789abcdef");
}

TEST(HeapProfile, TakesTheAllocatorsFramesOffTheLeaf) {
  Snapshot s = make_snapshot();
  const SourceFrame op_new{"operator new(unsigned long)", "_Znwm", "", 0, 0};
  MapSymbols symbols;
  symbols.add(kLibStart + 100, {op_new});
  symbols.add(kAppStart + 16, {kServe});
  symbols.add(kAppStart + 32, {kMain});
  // Two ways through the allocator to the same caller, and its frames further up stay.
  add_bucket(
      s, {{kAllocStart + 5, kAllocStart + 9, kLibStart + 100, kAppStart + 16}, 64, 64, 1, 0, 1});
  add_bucket(s, {{kAllocStart + 7, kAppStart + 16}, 64, 64, 2, 0, 1});
  add_bucket(s,
             {{kAllocStart + 7, kAppStart + 16, kAllocStart + 9, kAppStart + 32}, 64, 64, 4, 0, 1});
  const Profile p = heap(s, &symbols);
  ASSERT_EQ(p.sample_size(), 2);
  EXPECT_THAT(return_addresses(p, 0), ElementsAre(kAppStart + 16));
  EXPECT_EQ(p.sample(0).value(0), 3);
  EXPECT_THAT(return_addresses(p, 1), ElementsAre(kAppStart + 16, kAllocStart + 9, kAppStart + 32));
  expect_well_formed(p);
}

TEST(HeapProfile, KeepsALocationForStacksThatAreEmptyOrAllAllocator) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{}, 64, 64, 1, 0, 1});
  add_bucket(s, {{kAllocStart + 7, kAllocStart + 8}, 64, 64, 2, 0, 1});
  s.buckets.push_back(s.buckets[0]);
  s.buckets.back().stack = 99;  // a stack that is not there
  const Profile p = heap(s);
  expect_well_formed(p);
  ASSERT_EQ(p.sample_size(), 2);
  EXPECT_EQ(p.sample(0).value(0), 2);
  EXPECT_EQ(text(p, p.function(0).name()), "[no stack]");
  EXPECT_THAT(return_addresses(p, 1), ElementsAre(kAllocStart + 8));
}

TEST(HeapProfile, SaysRateLossPeriodEpochAndTargetInComments) {
  const Profile p = heap(make_snapshot());
  std::string comments;
  for (int64_t c : p.comment()) comments += text(p, c) + "\n";
  EXPECT_THAT(comments, HasSubstr("target: liballoc.42.77 pid=42 executable=/opt/shop/bin/shop"));
  EXPECT_THAT(comments, HasSubstr("period_bytes=524288"));
  EXPECT_THAT(comments, HasSubstr("dropped_records=3"));
  EXPECT_THAT(comments, HasSubstr("epoch: 9"));
  EXPECT_THAT(text(p, p.drop_frames()), HasSubstr("operator new"));
}

TEST(HeapProfile, SaturatesValuesThatDoNotFit) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 1, 1, 1, 0, UINT64_MAX});
  s.buckets[0].allocs = s.buckets[0].alloc_requested = UINT64_MAX;
  s.memstats.sample_period = UINT64_MAX;
  const Profile p = heap(s);
  EXPECT_EQ(p.sample(0).value(0), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(p.period(), std::numeric_limits<int64_t>::max());
}

TEST(HeapProfile, ShowsNoNegativeInuseWhenFreesAreAheadOfAllocs) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 64, 2, 5, 1});
  EXPECT_THAT(heap(s).sample(0).value(), ElementsAre(2, 128, 0, 0));
}

TEST(HeapDelta, IsWhatHappenedInBetween) {
  Snapshot before = make_snapshot(), after = make_snapshot();
  after.time_unix_ns = before.time_unix_ns + 30'000'000'000;
  add_bucket(before, {{kAppStart + 16}, 64, 64, 10, 2, 1});
  add_bucket(before, {{kAppStart + 32}, 64, 64, 7, 7, 1});
  add_bucket(after, {{kAppStart + 48}, 64, 64, 1, 0, 1});  // numbered differently, and new
  add_bucket(after, {{kAppStart + 16}, 64, 64, 15, 12, 1});
  add_bucket(after, {{kAppStart + 32}, 64, 64, 7, 7, 1});
  const EncodedProfile file = encode_delta(before, after, ProfileKind::kHeap, {}, nullptr);
  EXPECT_EQ(file.filename, "heap-delta");
  const Profile p = decode(file.bytes);
  expect_well_formed(p);
  EXPECT_EQ(p.time_nanos(), after.time_unix_ns);
  EXPECT_EQ(p.duration_nanos(), 30'000'000'000);
  ASSERT_EQ(p.sample_size(), 2) << "what did not change is left out";
  EXPECT_THAT(return_addresses(p, 0), ElementsAre(kAppStart + 48));
  EXPECT_THAT(p.sample(0).value(), ElementsAre(1, 64, 1, 64));
  EXPECT_THAT(return_addresses(p, 1), ElementsAre(kAppStart + 16));
  EXPECT_THAT(p.sample(1).value(), ElementsAre(5, 320, -5, -320));
}

TEST(HeapText, ScalesNothingAndNamesTwiceThePeriod) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAllocStart + 1, kAppStart + 16, kAppStart + 32}, 64, 60, 10, 4});
  MapSymbols symbols;
  symbols.add(kAppStart + 16, {kServe});
  ProfileOptions options;
  options.debug = 1;
  const EncodedProfile file = encode_profile(s, ProfileKind::kHeap, options, &symbols);
  EXPECT_EQ(file.content_type, "text/plain; charset=utf-8");
  EXPECT_THAT(file.bytes, StartsWith("heap profile: 6: 384 [10: 640] @ heap/1048576\n"
                                     "6: 384 [10: 640] @ 0x400010 0x400020\n"
                                     "#\t0x400010\tserve(int)\t/src/shop.cc:20\n"));
  EXPECT_THAT(file.bytes, HasSubstr("00400000-00500000 r-xp 00002000 00:00 0 /opt/shop/bin/shop"));
}

TEST(HeapText, KeepsTheTwoHalvesOfTheHeaderDifferent) {
  Snapshot s = make_snapshot();
  add_bucket(s, {{kAppStart + 16}, 64, 60, 10, 0});
  ProfileOptions options;
  options.debug = 1;
  EXPECT_THAT(encode_profile(s, ProfileKind::kHeap, options, nullptr).bytes,
              StartsWith("heap profile: 10: 640 [11: 640] @ heap/1048576\n10: 640 [10: 640] @"));
}

}  // namespace
}  // namespace liballoc::agent
