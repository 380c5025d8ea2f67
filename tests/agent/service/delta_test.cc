// delta_test.cc - GetProfile over a time: what it compares, how it is cancelled and bounded.
#include "agent/pprof/heap_profile.h"
#include "server_fixture.h"

namespace liballoc::agent {
namespace {

class DeltaTest : public ServerTest {
 protected:
  pb::GetProfileRequest request_for(uint32_t pid, int64_t seconds) {
    pb::GetProfileRequest request;
    *request.mutable_process() = by_pid(pid);
    request.mutable_duration()->set_seconds(seconds);
    return request;
  }
};

TEST_F(DeltaTest, ComparesTheProcessBeforeAndAfter) {
  const auto before = sampled_process(5, 10);
  auto after = sampled_process(5, 12, 3);
  after->time_unix_ns = before->time_unix_ns + 1000000000;
  after->memstats.mallocs += 100;
  registry_.publish(before);
  start();
  std::atomic<int> reads{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    if (++reads == 2) registry_.publish(after);
    return true;
  });
  grpc::ClientContext context;
  const Profile got = profile(request_for(5, 1), context);
  ASSERT_TRUE(got.status.ok()) << got.status.error_message();
  EXPECT_TRUE(got.bytes == encode_delta(*before, *after, ProfileKind::kHeap, {}, nullptr).bytes);
  EXPECT_EQ(got.info.duration().seconds(), 1);
  EXPECT_EQ(got.info.collect_time().seconds(), 1700000002);
}

TEST_F(DeltaTest, ADeadlineBeforeItsEndIsRefusedAtOnce) {
  registry_.publish(sampled_process(5, 3));
  start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(5));
  const Profile got = profile(request_for(5, 3000), context);
  EXPECT_EQ(got.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(got.status.error_message().find("deadline"), std::string::npos);
}

TEST_F(DeltaTest, ACancelledOneGivesItsPlaceBackAtOnce) {
  registry_.publish(sampled_process(5, 3));
  GrpcOptions options;
  options.limits.max_profiles = 1;
  start(options);
  std::atomic<int> reads{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    ++reads;
    return true;
  });
  grpc::ClientContext first_context;
  const auto first = profiles_->GetProfile(&first_context, request_for(5, 3600));
  ASSERT_TRUE(eventually([&] { return reads == 1; }));
  pb::GetProfileRequest now;
  *now.mutable_process() = by_pid(5);
  const auto code_of_another = [&] {
    grpc::ClientContext context;
    return profile(now, context).status.error_code();
  };
  EXPECT_EQ(code_of_another(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  first_context.TryCancel();
  EXPECT_EQ(first->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(eventually([&] { return code_of_another() == grpc::StatusCode::OK; }));
}

TEST_F(DeltaTest, AProcessReplacedMeanwhileGivesNoDelta) {
  registry_.publish(sampled_process(5, 3));
  start();
  std::atomic<int> reads{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    if (++reads == 2) {
      auto other_image = sampled_process(5, 3);
      other_image->identity.created_monotonic_ns = 1;
      other_image->memstats.mallocs *= 2;  // a small program that starts a large one
      registry_.publish(other_image);
    }
    return true;
  });
  grpc::ClientContext context;
  const Profile got = profile(request_for(5, 1), context);
  EXPECT_EQ(got.status.error_code(), grpc::StatusCode::ABORTED);
}

TEST_F(DeltaTest, EndsWithUnavailableWhenTheAgentStops) {
  registry_.publish(sampled_process(5, 3));
  start();
  std::atomic<int> reads{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    ++reads;
    return true;
  });
  grpc::ClientContext context;
  const auto reader = profiles_->GetProfile(&context, request_for(5, 3600));
  ASSERT_TRUE(eventually([&] { return reads == 1; }));
  server_->stop();
  pb::GetProfileResponse response;
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace liballoc::agent
