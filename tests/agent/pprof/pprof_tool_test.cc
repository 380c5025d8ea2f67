// pprof_tool_test.cc - the real `go tool pprof` and `protoc --decode` read what the agent encodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/pprof/heap_profile.h"
#include "tests/agent/pprof/testing.h"

namespace liballoc::agent {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

Snapshot shop() {
  Snapshot s = make_snapshot();
  s.memstats.sample_period = 1;
  add_bucket(s, {{kAllocStart + 5, kAppStart + 16, kAppStart + 48}, 64, 60, 1000, 400, 1});
  add_bucket(s, {{kAllocStart + 5, kAppStart + 32, kAppStart + 48}, 1024, 1000, 30, 30, 1});
  return s;
}

class PprofTool : public ::testing::Test {
 protected:
  PprofTool() {
    symbols_.add(
        kAppStart + 16,
        {{"std::__new_allocator<int>::allocate(unsigned long, void const*)",
          "_ZNSt15__new_allocatorIiE8allocateEmPKv", "/usr/include/new_allocator.h", 137, 1},
         {"load_cart(Session&)", "_Z9load_cartR7Session", "/src/cart.cc", 21, 15}});
    symbols_.add(kAppStart + 32, {{"log_line", "log_line", "/src/log.cc", 7, 3}});
    symbols_.add(kAppStart + 48, {{"main", "main", "/src/main.cc", 99, 90}});
  }

  std::string pprof(const std::string& arguments, const EncodedProfile& file) {
    const std::string path = dir_.write("profile", file.bytes);
    return run("cd " + dir_.path() + " && HOME=" + dir_.path() + " PPROF_TMPDIR=" + dir_.path() +
               " go tool pprof -symbolize=none " + arguments + " " + path + " 2>&1");
  }
  EncodedProfile encode(ProfileKind kind, int debug = 0) {
    ProfileOptions options;
    options.debug = debug;
    return encode_profile(shop(), kind, options, &symbols_);
  }

  TempDir dir_;
  MapSymbols symbols_;
};

TEST_F(PprofTool, TopShowsAllocatedSpaceByFunction) {
  const std::string out =
      pprof("-top -unit=B -sample_index=alloc_space", encode(ProfileKind::kHeap));
  // 1000 x 60 and 30 x 1000 bytes; std::allocator's inlined frame is dropped by drop_frames.
  EXPECT_THAT(out, HasSubstr("90000B total"));
  EXPECT_THAT(out, ContainsRegex("60000B 66.67% 66.67%     60000B 66.67%  load_cart"));
  EXPECT_THAT(out, ContainsRegex("30000B 33.33%   100%     30000B 33.33%  log_line"));
  EXPECT_THAT(out, ContainsRegex("0     0%   100%     90000B   100%  main"));
  EXPECT_THAT(out, Not(HasSubstr("allocate")));
  EXPECT_THAT(out, HasSubstr("Type: alloc_space"));
}

TEST_F(PprofTool, DefaultsToInuseForHeapAndToAllocForAllocs) {
  EXPECT_THAT(pprof("-top -unit=B", encode(ProfileKind::kHeap)), HasSubstr("36000B total"));
  EXPECT_THAT(pprof("-top -unit=B", encode(ProfileKind::kAllocs)), HasSubstr("90000B total"));
}

TEST_F(PprofTool, RawShowsValuesLocationsMappingsAndComments) {
  const std::string out = pprof("-raw", encode(ProfileKind::kHeap));
  EXPECT_THAT(out, HasSubstr("PeriodType: space bytes"));
  EXPECT_THAT(out, HasSubstr("alloc_objects/count alloc_space/bytes inuse_objects/count "
                             "inuse_space/bytes"));
  EXPECT_THAT(out, ContainsRegex("1000 +60000 +600 +36000: 1 2"));
  EXPECT_THAT(out, ContainsRegex("30 +30000 +0 +0: 3 2"));
  EXPECT_THAT(out, HasSubstr("bytes:[64 bytes]"));
  EXPECT_THAT(out, HasSubstr("0x40000f M=1"));
  EXPECT_THAT(out, HasSubstr("load_cart(Session&) /src/cart.cc:21 s=15"));
  EXPECT_THAT(out, HasSubstr("1: 0x400000/0x500000/0x2000 /opt/shop/bin/shop 0123456789abcdef "
                             "[FN][FL][LN][IN]"));
  EXPECT_THAT(out, HasSubstr("Comment: target: liballoc.42.77"));
}

TEST_F(PprofTool, TracesShowTheCallerOfMallocAsLeaf) {
  const std::string out =
      pprof("-traces -unit=B -sample_index=inuse_space", encode(ProfileKind::kHeap));
  EXPECT_THAT(out, ContainsRegex("bytes:  64B\n +36000B +load_cart[^\n]*\n +main"));
}

TEST_F(PprofTool, ReadsDeltasWithNegativeValues) {
  Snapshot before = shop(), after = shop();
  after.time_unix_ns += 1'000'000'000;
  after.buckets[0].frees += 100;
  after.buckets[0].free_requested += 6000;
  const std::string out =
      pprof("-raw", encode_delta(before, after, ProfileKind::kHeap, {}, &symbols_));
  EXPECT_THAT(out, HasSubstr("Duration: 1s"));
  EXPECT_THAT(out, ContainsRegex("0 +0 +-100 +-6000: 1 2"));
}

TEST_F(PprofTool, ScalesTheLegacyTextToTheSameObjects) {
  Snapshot s = shop();
  s.memstats.sample_period = kPeriod;
  for (Bucket& b : s.buckets) b.period = kPeriod;
  ProfileOptions options;
  const EncodedProfile binary = encode_profile(s, ProfileKind::kHeap, options, &symbols_);
  options.debug = 1;
  const EncodedProfile legacy = encode_profile(s, ProfileKind::kHeap, options, &symbols_);
  const std::string from_binary = pprof("-raw", binary), from_text = pprof("-raw", legacy);
  // 1000 samples of 64 bytes stand for 1000 / (1 - exp(-64 / 524288)) objects: 8192500.
  EXPECT_THAT(from_binary, ContainsRegex("819250[0-9] +[0-9]+ +491550[0-9] "));
  EXPECT_THAT(from_text, ContainsRegex("819250[0-9] +[0-9]+ +491550[0-9] "));
  EXPECT_THAT(from_text, HasSubstr("/opt/shop/bin/shop"));
}

TEST_F(PprofTool, ReadsAnEmptyProfile) {
  EXPECT_THAT(pprof("-raw", encode_profile(make_snapshot(), ProfileKind::kHeap, {}, nullptr)),
              HasSubstr("/opt/shop/bin/shop"));
}

TEST_F(PprofTool, ProtocDecodesItWithoutUnknownFields) {
  const std::string path = dir_.write("raw", gunzip(encode(ProfileKind::kHeap).bytes));
  const std::string out = run(
      "protoc --decode=liballoc.test.pprof.Profile -I " PPROF_PROTO_DIR " profile.proto < " + path);
  EXPECT_THAT(out, HasSubstr("string_table: \"alloc_objects\""));
  EXPECT_THAT(out, HasSubstr("value: 60000"));
  EXPECT_THAT(out, HasSubstr("memory_start: 4194304"));
  EXPECT_THAT(out,
              Not(ContainsRegex("\n *[0-9]+: ")));  // how protoc shows a field it does not know
}

}  // namespace
}  // namespace liballoc::agent
