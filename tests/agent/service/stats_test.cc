// stats_test.cc - GetMemStats and WatchMemStats over a real connection.
#include <algorithm>

#include "server_fixture.h"

namespace liballoc::agent {
namespace {

class StatsTest : public ServerTest {
 protected:
  pb::WatchMemStatsRequest watch_request(uint32_t pid, int32_t milliseconds) {
    pb::WatchMemStatsRequest request;
    *request.mutable_process() = by_pid(pid);
    request.mutable_interval()->set_seconds(milliseconds / 1000);
    request.mutable_interval()->set_nanos(milliseconds % 1000 * 1000000);
    return request;
  }

  grpc::Status first_error(const pb::WatchMemStatsRequest& request) {
    grpc::ClientContext context;
    const auto reader = stats_->WatchMemStats(&context, request);
    pb::WatchMemStatsResponse response;
    EXPECT_FALSE(reader->Read(&response));
    return reader->Finish();
  }
};

TEST_F(StatsTest, FiguresAreReadForTheRequest) {
  registry_.publish(sample_process(5));
  start();
  const Refreshing refreshing = on_refresh([this](const std::string& key, std::chrono::milliseconds deadline) {
    EXPECT_EQ(key, "liballoc.5.100");
    EXPECT_GT(deadline.count(), 0);
    auto fresh = sample_process(5);
    fresh->memstats.mallocs = 123456;
    fresh->health.ring_missed = 9;
    registry_.publish(fresh);
    return true;
  });
  for (const auto& selector : {by_pid(5), by_key("liballoc.5.100")}) {
    pb::GetMemStatsResponse response;
    ASSERT_TRUE(memstats(selector, &response).ok());
    EXPECT_EQ(response.memstats().mallocs(), 123456u);
    EXPECT_EQ(response.memstats().by_size_size(), LIBALLOC_ABI_SIZE_CLASSES);
    EXPECT_EQ(response.health().ring_missed(), 9u);
    EXPECT_EQ(response.process().pid(), 5u);
    EXPECT_EQ(response.process().key(), "liballoc.5.100");
    EXPECT_EQ(response.process().state(), pb::PROCESS_STATE_RUNNING);
    EXPECT_TRUE(response.process().has_start_time());
    EXPECT_EQ(response.collect_time().seconds(), 1700000001);
    EXPECT_FALSE(response.stale());
  }
}

TEST_F(StatsTest, AFaultIsListedWithItsKindAndItsStacks) {
  auto faulted = sample_process(5);
  faulted->state = ProcessState::kFaulted;
  faulted->modules.push_back({0x1000, 0x2000, 0, 0x1000, 0, 0, "/usr/bin/web", "ab"});
  faulted->stacks = {Stack{{0x1111, 0x1222}, false}, Stack{{0x1333}, false}};
  Fault fault;
  fault.code = LIBALLOC_FAULT_DOUBLE_FREE;
  fault.address = 0xc000001000;
  fault.tid = 6;
  fault.message = "double free: 0xc000001000";
  fault.fault_stack = 0;
  fault.alloc_stack = 1;
  faulted->faults = {fault};
  registry_.publish(faulted);
  start();
  grpc::ClientContext context;
  pb::ListFaultsRequest request;
  *request.mutable_process() = by_pid(5);
  pb::ListFaultsResponse response;
  ASSERT_TRUE(stats_->ListFaults(&context, request, &response).ok());
  EXPECT_EQ(response.process().state(), pb::PROCESS_STATE_FAULTED);
  ASSERT_EQ(response.faults_size(), 1);
  const pb::Fault& got = response.faults(0);
  EXPECT_EQ(got.kind(), pb::FAULT_KIND_DOUBLE_FREE);
  EXPECT_EQ(got.message(), fault.message);
  EXPECT_EQ(got.address(), fault.address);
  ASSERT_EQ(got.found_at_size(), 2);
  EXPECT_EQ(got.found_at(0).address(), 0x1111u);
  EXPECT_EQ(got.found_at(0).module(), "/usr/bin/web");
  ASSERT_EQ(got.allocated_at_size(), 1);
  EXPECT_EQ(got.freed_at_size(), 0) << "not known";
}

TEST_F(StatsTest, OldFiguresOfARunningProcessAreCalledStale) {
  registry_.publish(sample_process(5));
  start();
  const Refreshing refreshing = on_refresh([](const std::string&, std::chrono::milliseconds) { return false; });
  pb::GetMemStatsResponse response;
  ASSERT_TRUE(memstats(by_pid(5), &response).ok());
  EXPECT_TRUE(response.stale());
  EXPECT_EQ(response.memstats().mallocs(), 10u);
}

TEST_F(StatsTest, AnEndedProcessIsServedFromItsLastReading) {
  auto ended = sample_process(5);
  ended->state = ProcessState::kKilled;
  registry_.publish(ended);
  start();
  const Refreshing refreshing = on_refresh([](const std::string& key, std::chrono::milliseconds) {
    EXPECT_EQ(key, "") << "an ended process cannot be read again";
    return false;
  });
  pb::GetMemStatsResponse response;
  ASSERT_TRUE(memstats(by_pid(5), &response).ok());
  EXPECT_FALSE(response.stale());
  EXPECT_EQ(response.process().state(), pb::PROCESS_STATE_KILLED);
}

TEST_F(StatsTest, AProcessThatStartedAMomentAgoIsFound) {
  start();
  const Refreshing refreshing = on_refresh([this](const std::string& key, std::chrono::milliseconds) {
    if (key.empty()) registry_.publish(sample_process(5));
    return true;
  });
  pb::GetMemStatsResponse response;
  EXPECT_TRUE(memstats(by_pid(5), &response).ok());
}

TEST_F(StatsTest, UnknownProcessesAreNotFoundByName) {
  registry_.publish(sample_process(5));
  start();
  pb::GetMemStatsResponse response;
  grpc::Status status = memstats(by_pid(4711), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find("4711"), std::string::npos);
  status = memstats(by_key("liballoc.4712.1"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_NE(status.error_message().find("liballoc.4712.1"), std::string::npos);
}

TEST_F(StatsTest, ARequestMustNameAProcess) {
  start();
  for (const auto& selector : {pb::ProcessSelector(), by_pid(0), by_key("")}) {
    pb::GetMemStatsResponse response;
    const grpc::Status status = memstats(selector, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message().rfind("process", 0), 0u) << status.error_message();
  }
}

TEST_F(StatsTest, APidOfSeveralRunningProcessesIsAmbiguousAndTheirKeysAreNot) {
  registry_.publish(sample_process(1, 100));
  registry_.publish(sample_process(1, 200));
  start();
  pb::GetMemStatsResponse response;
  const grpc::Status status = memstats(by_pid(1), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("liballoc.1.100"), std::string::npos);
  EXPECT_NE(status.error_message().find("liballoc.1.200"), std::string::npos);
  EXPECT_TRUE(memstats(by_key("liballoc.1.200"), &response).ok());
  EXPECT_EQ(response.process().key(), "liballoc.1.200");
}

TEST_F(StatsTest, ARunningProcessIsPreferredToAnEndedOneOfTheSamePid) {
  auto ended = sample_process(1, 100);
  ended->state = ProcessState::kExitedClean;
  registry_.publish(ended);
  registry_.publish(sample_process(1, 200));
  start();
  pb::GetMemStatsResponse response;
  ASSERT_TRUE(memstats(by_pid(1), &response).ok());
  EXPECT_EQ(response.process().key(), "liballoc.1.200");
}

TEST_F(StatsTest, AMaskChoosesFields) {
  registry_.publish(sample_process(5));
  start();
  pb::GetMemStatsRequest request;
  *request.mutable_process() = by_pid(5);
  request.mutable_field_mask()->add_paths("heap_alloc");
  pb::GetMemStatsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stats_->GetMemStats(&context, request, &response).ok());
  EXPECT_EQ(response.memstats().heap_alloc(), 7000u);
  EXPECT_EQ(response.memstats().mallocs(), 0u);
  EXPECT_EQ(response.memstats().by_size_size(), 0);
  EXPECT_EQ(response.process().pid(), 5u);
}

TEST_F(StatsTest, ARefreshGetsNoMoreTimeThanTheCallHas) {
  registry_.publish(sample_process(5));
  start();
  std::atomic<int64_t> budget{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds deadline) {
    budget = deadline.count();
    return true;
  });
  pb::GetMemStatsRequest request;
  *request.mutable_process() = by_pid(5);
  pb::GetMemStatsResponse response;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1500));
  ASSERT_TRUE(stats_->GetMemStats(&context, request, &response).ok());
  EXPECT_GT(budget, 0);
  EXPECT_LE(budget, 1530);  // gRPC rounds a timeout up on its way, by less than 2 %
}

TEST_F(StatsTest, WatchReadsAnewForEachMessageAndEndsWithTheProcess) {
  registry_.publish(sample_process(5));
  start();
  std::atomic<uint64_t> reads{0};
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    auto fresh = sample_process(5);
    fresh->memstats.epoch = ++reads;
    if (reads >= 3) fresh->state = ProcessState::kExitedClean;
    registry_.publish(fresh);
    return true;
  });
  grpc::ClientContext context;
  const auto reader = stats_->WatchMemStats(&context, watch_request(5, 100));
  pb::WatchMemStatsResponse response;
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    ASSERT_TRUE(reader->Read(&response));
    EXPECT_EQ(response.memstats().epoch(), epoch);
    EXPECT_EQ(response.process().key(), "liballoc.5.100");
  }
  EXPECT_EQ(response.process().state(), pb::PROCESS_STATE_EXITED);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(StatsTest, WatchRefusesBadRequestsAndSaysWhy) {
  registry_.publish(sample_process(5));
  start();
  for (const int32_t bad : {0, 99, -1, 3600001}) {
    const grpc::Status status = first_error(watch_request(5, bad));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << bad;
    EXPECT_NE(status.error_message().find("interval"), std::string::npos);
  }
  auto request = watch_request(5, 1000);
  request.mutable_field_mask()->add_paths("nonsense");
  EXPECT_EQ(first_error(request).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(first_error(watch_request(6, 1000)).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(StatsTest, WatchEndsWhenItsProcessIsForgotten) {
  registry_.publish(sample_process(5));
  start();
  grpc::ClientContext context;
  const auto reader = stats_->WatchMemStats(&context, watch_request(5, 100));
  pb::WatchMemStatsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  registry_.remove("liballoc.5.100");
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(StatsTest, WatchEndsWhenItsProcessGoesOnWithAnotherProgram) {
  registry_.publish(sample_process(5));
  start();
  grpc::ClientContext context;
  const auto reader = stats_->WatchMemStats(&context, watch_request(5, 100));
  pb::WatchMemStatsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  auto other_image = sample_process(5);  // of the same key
  other_image->identity.created_monotonic_ns = 1;
  other_image->memstats.mallocs = 12345;
  registry_.publish(other_image);
  while (reader->Read(&response)) EXPECT_NE(response.memstats().mallocs(), 12345u);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(StatsTest, WatchHonoursTheDeadlineOfTheCall) {
  registry_.publish(sample_process(5));
  start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  const auto reader = stats_->WatchMemStats(&context, watch_request(5, 3600000));
  pb::WatchMemStatsResponse response;
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(StatsTest, ACancelledWatchGivesItsPlaceBackAtOnce) {
  registry_.publish(sample_process(5));
  GrpcOptions options;
  options.limits.max_watches = 1;
  start(options);
  grpc::ClientContext first_context;
  const auto first = stats_->WatchMemStats(&first_context, watch_request(5, 3600000));
  pb::WatchMemStatsResponse response;
  ASSERT_TRUE(first->Read(&response));
  const auto second_works = [&] {
    grpc::ClientContext context;
    const auto second = stats_->WatchMemStats(&context, watch_request(5, 3600000));
    pb::WatchMemStatsResponse ignored;
    const bool works = second->Read(&ignored);
    context.TryCancel();
    second->Finish();
    return works;
  };
  EXPECT_FALSE(second_works());
  first_context.TryCancel();
  first->Finish();
  EXPECT_TRUE(eventually(second_works)) << "the next reading was due in an hour";
}

TEST_F(StatsTest, ASlowReaderSkipsReadingsAndGetsTheNewest) {
  // Messages larger than all windows and buffers, so that a reader that does not read stops the
  // writer.
  const auto big_process = [] {
    auto snapshot = sample_process(5);
    SizeClassStats row;
    row.mallocs = row.frees = row.live_bytes = row.malloc_bytes = UINT64_MAX;
    snapshot->memstats.by_size.assign(60000, row);  // 2.6 MB
    return snapshot;
  };
  registry_.publish(big_process());
  start();
  std::atomic<uint64_t> reads{0};
  const auto big = big_process();
  const Refreshing refreshing = on_refresh([&](const std::string&, std::chrono::milliseconds) {
    auto fresh = std::make_shared<Snapshot>(*big);
    fresh->memstats.epoch = ++reads;
    registry_.publish(fresh);
    return true;
  });
  grpc::ClientContext context;
  const auto reader = stats_->WatchMemStats(&context, watch_request(5, 100));
  pb::WatchMemStatsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.skipped(), 0u);

  // The writer stalls: no reading for as long as five intervals.
  uint64_t last = 0;
  auto since = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] {
    if (const uint64_t now = reads; now != last) {
      last = now;
      since = std::chrono::steady_clock::now();
    }
    return std::chrono::steady_clock::now() - since > std::chrono::milliseconds(500);
  })) << "readings go on although nobody reads";

  // What was under way comes first; then the newest, with the count of what was left out. On a slow machine some
  // were left out before, too.
  uint64_t epoch = response.memstats().epoch();
  while (epoch <= last) {
    ASSERT_TRUE(reader->Read(&response));
    ASSERT_EQ(response.memstats().epoch(), ++epoch) << "what was read was also sent";
  }
  EXPECT_GT(response.skipped(), 0u);
  context.TryCancel();
  reader->Finish();
}

TEST_F(StatsTest, AStuckReaderHindersNeitherOthersNorTheStop) {
  auto big = sample_process(5);
  big->memstats.by_size.assign(60000,
                               SizeClassStats{1, 1, 1, UINT64_MAX, 1, UINT64_MAX, 1, 1, 1, 1, 1});
  registry_.publish(big);
  registry_.publish(sample_process(6));
  GrpcOptions options;
  options.stop_grace = std::chrono::milliseconds(200);
  start(options);
  const auto stuck_channel = new_channel();
  const auto stuck_stub = pb::Stats::NewStub(stuck_channel);
  grpc::ClientContext contexts[8];
  std::vector<std::unique_ptr<grpc::ClientReader<pb::WatchMemStatsResponse>>> stuck;
  for (grpc::ClientContext& context : contexts) {
    stuck.push_back(stuck_stub->WatchMemStats(&context, watch_request(5, 100)));
  }
  for (int i = 0; i < 20; ++i) {
    pb::GetMemStatsResponse response;
    ASSERT_TRUE(memstats(by_pid(6), &response).ok());
  }
  server_->stop();  // must return, though nobody reads
  for (const auto& reader : stuck) {
    pb::WatchMemStatsResponse response;
    while (reader->Read(&response)) {
    }
    EXPECT_FALSE(reader->Finish().ok());
  }
}

}  // namespace
}  // namespace liballoc::agent
