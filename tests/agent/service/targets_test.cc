// targets_test.cc - ListProcesses and WatchProcesses over a real connection.
#include "server_fixture.h"

namespace liballoc::agent {
namespace {

class TargetsTest : public ServerTest {};

TEST_F(TargetsTest, ListsProcessesByStartTime) {
  registry_.publish(sample_process(30, 300));
  registry_.publish(sample_process(20, 900));
  registry_.publish(sample_process(10, 600));
  start();
  grpc::ClientContext context;
  pb::ListProcessesResponse list;
  ASSERT_TRUE(targets_->ListProcesses(&context, {}, &list).ok());
  ASSERT_EQ(list.processes_size(), 3);
  EXPECT_EQ(list.processes(0).ref().pid(), 30u);
  EXPECT_EQ(list.processes(1).ref().pid(), 10u);
  EXPECT_EQ(list.processes(2).ref().key(), "liballoc.20.900");
  EXPECT_EQ(list.processes(2).executable(), "/usr/bin/server");
  EXPECT_EQ(list.processes(2).heap_alloc(), 7000u);
  EXPECT_TRUE(list.has_time());
}

TEST_F(TargetsTest, LooksForNewProcessesBeforeItAnswers) {
  start();
  const Refreshing refreshing = on_refresh([this](const std::string& key, std::chrono::milliseconds) {
    EXPECT_EQ(key, "");
    registry_.publish(sample_process(77));
    return true;
  });
  grpc::ClientContext context;
  pb::ListProcessesResponse list;
  ASSERT_TRUE(targets_->ListProcesses(&context, {}, &list).ok());
  ASSERT_EQ(list.processes_size(), 1);
  EXPECT_EQ(list.processes(0).ref().pid(), 77u);
}

TEST_F(TargetsTest, FiltersByState) {
  auto ended = sample_process(1, 1);
  ended->state = ProcessState::kKilled;
  registry_.publish(ended);
  registry_.publish(sample_process(2, 2));
  start();
  pb::ListProcessesRequest request;
  request.add_states(pb::PROCESS_STATE_KILLED);
  pb::ListProcessesResponse list;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(targets_->ListProcesses(&context, request, &list).ok());
  }
  ASSERT_EQ(list.processes_size(), 1);
  EXPECT_EQ(list.processes(0).ref().pid(), 1u);

  request.add_states(pb::PROCESS_STATE_UNSPECIFIED);
  grpc::ClientContext context;
  const grpc::Status status = targets_->ListProcesses(&context, request, &list);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("states: 0"), std::string::npos);
}

TEST_F(TargetsTest, WatchSendsTheListAtOnceAndAfterEachChange) {
  registry_.publish(sample_process(1, 1));
  start();
  grpc::ClientContext context;
  const auto reader = targets_->WatchProcesses(&context, {});
  pb::WatchProcessesResponse list;
  ASSERT_TRUE(reader->Read(&list));
  ASSERT_EQ(list.processes_size(), 1);

  registry_.publish(sample_process(1, 1));  // new figures, but no change of the list
  registry_.publish(sample_process(2, 2));
  do {  // a look between the two calls may not see the second process: there must be one that does
    ASSERT_TRUE(reader->Read(&list));
  } while (list.processes_size() != 2);

  auto ended = sample_process(1, 1);
  ended->state = ProcessState::kExitedClean;
  registry_.publish(ended);
  ASSERT_TRUE(reader->Read(&list));
  ASSERT_EQ(list.processes_size(), 2);
  EXPECT_EQ(list.processes(0).ref().state(), pb::PROCESS_STATE_EXITED);

  registry_.remove("liballoc.1.1");
  ASSERT_TRUE(reader->Read(&list));
  ASSERT_EQ(list.processes_size(), 1);
  EXPECT_EQ(list.processes(0).ref().pid(), 2u);
  context.TryCancel();
  EXPECT_FALSE(reader->Read(&list));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(TargetsTest, ACancelledWatchGivesItsPlaceBack) {
  GrpcOptions options;
  options.limits.max_watches = 1;
  start(options);
  grpc::ClientContext first_context;
  const auto first = targets_->WatchProcesses(&first_context, {});
  pb::WatchProcessesResponse list;
  ASSERT_TRUE(first->Read(&list));
  const auto second_status = [&] {
    grpc::ClientContext context;
    const auto second = targets_->WatchProcesses(&context, {});
    if (second->Read(&list)) {
      context.TryCancel();
      second->Finish();
      return grpc::Status::OK;
    }
    return second->Finish();
  };
  EXPECT_EQ(second_status().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  first_context.TryCancel();
  first->Finish();
  EXPECT_TRUE(eventually([&] { return second_status().ok(); }));
}

}  // namespace
}  // namespace liballoc::agent
