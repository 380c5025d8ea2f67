// grpc_server_test.cc - health and the stop, as clients see them.
#include "grpc/health/v1/health.grpc.pb.h"
#include "server_fixture.h"

namespace liballoc::agent {
namespace {

namespace health = ::grpc::health::v1;

class GrpcServerTest : public ServerTest {
 protected:
  grpc::Status check(const std::string& service, health::HealthCheckResponse* response) {
    grpc::ClientContext context;
    health::HealthCheckRequest request;
    request.set_service(service);
    return health::Health::NewStub(channel_)->Check(&context, request, response);
  }
};

TEST_F(GrpcServerTest, HealthKnowsTheWholeAndEachService) {
  start();
  for (const char* service : {"", "liballoc.telemetry.v1.Targets", "liballoc.telemetry.v1.Stats",
                              "liballoc.telemetry.v1.Profiles", "liballoc.telemetry.v1.Spans",
                              "liballoc.telemetry.v1.Events"}) {
    health::HealthCheckResponse response;
    ASSERT_TRUE(check(service, &response).ok()) << service;
    EXPECT_EQ(response.status(), health::HealthCheckResponse::SERVING) << service;
  }
  health::HealthCheckResponse response;
  EXPECT_EQ(check("liballoc.telemetry.v1.Control", &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(GrpcServerTest, CountsCallsByMethodAndCode) {
  registry_.publish(sample_process(5));
  start();
  pb::GetMemStatsResponse response;
  EXPECT_TRUE(memstats(by_pid(5), &response).ok());
  EXPECT_TRUE(memstats(by_pid(5), &response).ok());
  EXPECT_FALSE(memstats(by_pid(6), &response).ok());
  const auto counted = [this](const std::string& method, const std::string& code) {
    for (const GrpcCallCount& call : server_->call_counts()) {
      if (call.method == method && call.code == code) return call.count;
    }
    return uint64_t{0};
  };
  const std::string method = "/liballoc.telemetry.v1.Stats/GetMemStats";
  EXPECT_TRUE(eventually([&] { return counted(method, "OK") == 2; }));
  EXPECT_TRUE(eventually([&] { return counted(method, "NOT_FOUND") == 1; }));
  EXPECT_EQ(counted(method, "INTERNAL"), 0u);
}

TEST_F(GrpcServerTest, AnOldConnectionIsLeftByNewCallsAndKeptByAStream) {
  registry_.publish(sample_process(5));
  GrpcOptions options;
  options.max_connection_age = std::chrono::milliseconds(50);
  start(options);
  grpc::ClientContext list_context;
  const auto processes = targets_->WatchProcesses(&list_context, {});
  pb::WatchProcessesResponse list;
  ASSERT_TRUE(processes->Read(&list));
  // Calls go through while several ages pass.
  const auto begun = std::chrono::steady_clock::now();
  int calls = 0;
  ASSERT_TRUE(eventually([&] {
    grpc::ClientContext context;
    pb::ListProcessesResponse response;
    EXPECT_TRUE(targets_->ListProcesses(&context, {}, &response).ok());
    return ++calls >= 3 &&
           std::chrono::steady_clock::now() - begun > 4 * options.max_connection_age;
  }));
  registry_.publish(sample_process(6));
  ASSERT_TRUE(processes->Read(&list)) << "the stream goes on";
  EXPECT_EQ(list.processes_size(), 2);
  list_context.TryCancel();
  while (processes->Read(&list)) {
  }
  processes->Finish();
}

TEST_F(GrpcServerTest, AStopSaysNotServingAndEndsStreamsWithUnavailable) {
  registry_.publish(sample_process(5));
  start();
  grpc::ClientContext health_context;
  const auto health_stub = health::Health::NewStub(channel_);
  const auto watch = health_stub->Watch(&health_context, health::HealthCheckRequest());
  health::HealthCheckResponse status;
  ASSERT_TRUE(watch->Read(&status));
  ASSERT_EQ(status.status(), health::HealthCheckResponse::SERVING);
  pb::WatchMemStatsRequest request;
  *request.mutable_process() = by_pid(5);
  request.mutable_interval()->set_seconds(3600);
  grpc::ClientContext stats_context;
  const auto stats = stats_->WatchMemStats(&stats_context, request);
  pb::WatchMemStatsResponse reading;
  ASSERT_TRUE(stats->Read(&reading));
  grpc::ClientContext list_context;
  const auto processes = targets_->WatchProcesses(&list_context, {});
  pb::WatchProcessesResponse list;
  ASSERT_TRUE(processes->Read(&list));

  std::thread stopping([this] { server_->stop(); });
  ASSERT_TRUE(watch->Read(&status));
  EXPECT_EQ(status.status(), health::HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(stats->Read(&reading));
  EXPECT_EQ(stats->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(processes->Read(&list));
  EXPECT_EQ(processes->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  health_context.TryCancel();
  watch->Finish();
  stopping.join();
}

TEST_F(GrpcServerTest, ACallUnderWayIsAnsweredDuringTheStop) {
  registry_.publish(sample_process(5));
  start();
  std::atomic<bool> reading{false}, go_on{false};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    reading = true;
    return eventually([&] { return go_on.load(); });
  });
  grpc::Status status;
  std::thread caller([&] {
    pb::GetMemStatsResponse response;
    status = memstats(by_pid(5), &response);
  });
  ASSERT_TRUE(eventually([&] { return reading.load(); }));
  std::thread stopping([this] { server_->stop(); });
  go_on = true;
  caller.join();
  stopping.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(GrpcServerTest, RefusesRequestsBeyondItsBound) {
  start();
  pb::GetMemStatsResponse response;
  const grpc::Status status = memstats(by_key(std::string(100 * 1024, 'k')), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(GrpcServerTest, StopsTwiceAndWithoutAStart) {
  start();
  server_->stop();
  server_->stop();
  ServiceContext context;
  context.registry = &registry_;
  GrpcServer never_started(GrpcOptions{}, context);
  never_started.stop();
}

}  // namespace
}  // namespace liballoc::agent
