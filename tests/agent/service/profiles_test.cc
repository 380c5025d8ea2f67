// profiles_test.cc - GetProfile over a real connection: pieces, refusals, and what it must not hold
// up.
#include <condition_variable>

#include "agent/pprof/heap_profile.h"
#include "server_fixture.h"

namespace liballoc::agent {
namespace {

class ProfilesTest : public ServerTest {
 protected:
  pb::GetProfileRequest request_for(uint32_t pid) {
    pb::GetProfileRequest request;
    *request.mutable_process() = by_pid(pid);
    return request;
  }
  Profile profile(const pb::GetProfileRequest& request) {
    grpc::ClientContext context;
    return ServerTest::profile(request, context);
  }
};

TEST_F(ProfilesTest, ALargeProfileComesInPiecesThatJoinToTheEncodersBytes) {
  const auto snapshot = sampled_process(5, 30000);
  registry_.publish(snapshot);
  start();
  const Profile got = profile(request_for(5));
  ASSERT_TRUE(got.status.ok()) << got.status.error_message();
  ASSERT_GT(got.pieces.size(), 2u) << "too small a profile to test with";
  for (size_t i = 0; i < got.pieces.size(); ++i) {
    EXPECT_LE(got.pieces[i], size_t{1} << 20);
    if (i + 1 < got.pieces.size()) {
      EXPECT_GE(got.pieces[i], size_t{64} << 10);
    }
  }
  const EncodedProfile expected = encode_profile(*snapshot, ProfileKind::kHeap, {}, nullptr);
  EXPECT_TRUE(got.bytes == expected.bytes);
  EXPECT_EQ(got.info.total_bytes(), expected.bytes.size());
  EXPECT_EQ(got.info.kind(), pb::PROFILE_KIND_HEAP);
  EXPECT_EQ(got.info.content_type(), expected.content_type);
  EXPECT_EQ(got.info.process().pid(), 5u);
  EXPECT_EQ(got.info.collect_time().seconds(), 1700000001);
  EXPECT_FALSE(got.info.has_duration());
  EXPECT_EQ(got.bytes.substr(0, 2), "\x1f\x8b") << "gzip";
}

TEST_F(ProfilesTest, AllocsIsAnotherKind) {
  const auto snapshot = sampled_process(5, 3);
  registry_.publish(snapshot);
  start();
  auto request = request_for(5);
  request.set_kind(pb::PROFILE_KIND_ALLOCS);
  const Profile got = profile(request);
  ASSERT_TRUE(got.status.ok());
  EXPECT_EQ(got.info.kind(), pb::PROFILE_KIND_ALLOCS);
  EXPECT_TRUE(got.bytes == encode_profile(*snapshot, ProfileKind::kAllocs, {}, nullptr).bytes);
  EXPECT_FALSE(got.bytes == encode_profile(*snapshot, ProfileKind::kHeap, {}, nullptr).bytes);
}

TEST_F(ProfilesTest, RefusesProcessesThatDoNotSampleByName) {
  auto off = sample_process(5);
  off->memstats.sample_period = 0;
  registry_.publish(off);
  auto was_on = sampled_process(6, 3);
  was_on->memstats.sample_period = 0;
  registry_.publish(was_on);
  start();
  const Profile got = profile(request_for(5));
  EXPECT_EQ(got.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(got.status.error_message().find("pid 5"), std::string::npos);
  EXPECT_TRUE(profile(request_for(6)).status.ok()) << "it has samples from before";
}

TEST_F(ProfilesTest, RefusesBadRequestsAndSaysWhy) {
  registry_.publish(sampled_process(5, 3));
  start();
  const auto refused = [&](const pb::GetProfileRequest& request, const std::string& field) {
    const Profile got = profile(request);
    EXPECT_EQ(got.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << field;
    EXPECT_EQ(got.status.error_message().rfind(field, 0), 0u) << got.status.error_message();
  };
  refused(pb::GetProfileRequest(), "process");
  auto request = request_for(5);
  request.set_kind(static_cast<pb::ProfileKind>(99));
  refused(request, "kind: 99");
  request = request_for(5);
  request.mutable_duration()->set_seconds(0);
  refused(request, "duration: 0 s");
  request.mutable_duration()->set_seconds(3601);
  refused(request, "duration: 3601 s");
  EXPECT_EQ(profile(request_for(6)).status.error_code(), grpc::StatusCode::NOT_FOUND);
}

// Blocks every lookup until it is opened, and says which thread came.
class GatedSymbols final : public SymbolSource {
 public:
  std::vector<SourceFrame> lookup(const Module&, uint64_t) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    open_changed_.wait(lock, [this] { return open_; });
    return {SourceFrame{"named", "named", "file.cc", 7, 1}};
  }
  int waiting() {
    std::lock_guard lock(mutex_);
    return waiting_;
  }
  void open() {
    {
      std::lock_guard lock(mutex_);
      open_ = true;
    }
    open_changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable open_changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST_F(ProfilesTest, SlowSymbolsHoldUpNobodyElse) {
  GatedSymbols symbols;
  symbols_ = &symbols;
  auto snapshot = sampled_process(5, 1);
  snapshot->modules.push_back(Module{0, UINT64_MAX, 0, 0, 0, 0, "/usr/bin/server", "abcdef"});
  registry_.publish(snapshot);
  start();
  std::vector<std::thread> slow;
  std::atomic<int> done{0};
  for (int i = 0; i < 6; ++i) {  // more than there are threads for profiles
    slow.emplace_back([&] {
      EXPECT_TRUE(profile(request_for(5)).status.ok());
      ++done;
    });
  }
  EXPECT_TRUE(eventually([&] { return symbols.waiting() >= 1; }));
  for (int i = 0; i < 20; ++i) {
    pb::GetMemStatsResponse response;
    EXPECT_TRUE(memstats(by_pid(5), &response).ok());
  }
  EXPECT_EQ(done, 0);
  symbols.open();
  for (std::thread& thread : slow) thread.join();
  EXPECT_EQ(done, 6);
}

TEST_F(ProfilesTest, SymbolsAreLeftOutOnRequest) {
  GatedSymbols symbols;  // a lookup would never return
  symbols_ = &symbols;
  auto snapshot = sampled_process(5, 1);
  snapshot->modules.push_back(Module{0, UINT64_MAX, 0, 0, 0, 0, "/usr/bin/server", "abcdef"});
  registry_.publish(snapshot);
  start();
  auto request = request_for(5);
  request.set_skip_symbols(true);
  EXPECT_TRUE(profile(request).status.ok());
  EXPECT_EQ(symbols.waiting(), 0);
}

}  // namespace
}  // namespace liballoc::agent
