// server_fixture.h - a GrpcServer on a free port of the loopback, with a registry filled by hand.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "agent/model/registry.h"
#include "agent/service/grpc_server.h"
#include "liballoc/telemetry/v1/profiles.grpc.pb.h"
#include "liballoc/telemetry/v1/stats.grpc.pb.h"
#include "liballoc/telemetry/v1/targets.grpc.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

inline std::shared_ptr<Snapshot> sample_process(uint32_t pid, uint64_t ticks = 100) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->identity.pid = pid;
  snapshot->identity.start_ticks = ticks;
  snapshot->identity.key = "liballoc." + std::to_string(pid) + "." + std::to_string(ticks);
  snapshot->identity.start_time_unix_ns = 1700000000000000000 + static_cast<int64_t>(ticks);
  snapshot->identity.executable = "/usr/bin/server";
  snapshot->identity.service = "server";
  snapshot->time_unix_ns = 1700000001000000000;
  snapshot->memstats.mallocs = 10;
  snapshot->memstats.frees = 3;
  snapshot->memstats.heap_objects = 7;
  snapshot->memstats.heap_alloc = 7000;
  snapshot->memstats.sample_period = 524288;
  snapshot->memstats.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  return snapshot;
}

// A snapshot with `stacks` sampled stacks that do not compress.
inline std::shared_ptr<Snapshot> sampled_process(uint32_t pid, size_t stacks, uint64_t scale = 1) {
  auto snapshot = sample_process(pid);
  uint64_t state = 88172645463325252u;  // xorshift64
  for (size_t i = 0; i < stacks; ++i) {
    Stack stack;
    for (int frame = 0; frame < 4; ++frame) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      stack.pcs.push_back(0x1000 + state % (uint64_t{1} << 46));
    }
    snapshot->stacks.push_back(std::move(stack));
    Bucket bucket;
    bucket.stack = static_cast<uint32_t>(i);
    bucket.allocated_bytes = 1024;
    bucket.period = 524288;
    bucket.allocs = 5 * scale;
    bucket.alloc_requested = 5000 * scale;
    bucket.frees = 2;
    bucket.free_requested = 2000;
    snapshot->buckets.push_back(bucket);
  }
  return snapshot;
}

inline pb::ProcessSelector by_pid(uint32_t pid) {
  pb::ProcessSelector selector;
  selector.set_pid(pid);
  return selector;
}

inline pb::ProcessSelector by_key(const std::string& key) {
  pb::ProcessSelector selector;
  selector.set_key(key);
  return selector;
}

// Waits for something that must come; false after a minute, which is a failure of the test.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

class ServerTest : public ::testing::Test {
 protected:
  using Refresh = std::function<bool(const std::string&, std::chrono::milliseconds)>;

  void start(GrpcOptions options = {}) {
    options.listen = {"127.0.0.1:0"};
    ServiceContext context;
    context.registry = &registry_;
    context.symbols = symbols_;
    context.refresh = [this](const std::string& key, std::chrono::milliseconds deadline) {
      Refresh refresh;
      {
        std::lock_guard lock(mutex_);
        refresh = refresh_;
        running_++;
      }
      const bool done = refresh ? refresh(key, deadline) : true;
      std::lock_guard lock(mutex_);
      running_--;
      ended_.notify_all();
      return done;
    };
    server_ = std::make_unique<GrpcServer>(options, context);
    const auto wrong = server_->start();
    ASSERT_FALSE(wrong.has_value()) << *wrong;
    channel_ = new_channel();
    targets_ = pb::Targets::NewStub(channel_);
    stats_ = pb::Stats::NewStub(channel_);
    profiles_ = pb::Profiles::NewStub(channel_);
  }

  std::shared_ptr<grpc::Channel> new_channel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->addresses().front(),
                                     grpc::InsecureChannelCredentials(), arguments);
  }

  // For as long as what it returns lives: made after what `refresh` refers to, it goes before.
  class Refreshing {
   public:
    explicit Refreshing(ServerTest* test) : test_(test) {}
    ~Refreshing() {
      std::unique_lock lock(test_->mutex_);
      test_->refresh_ = nullptr;
      test_->ended_.wait(lock, [this] { return test_->running_ == 0; });
    }
    Refreshing(const Refreshing&) = delete;
    Refreshing& operator=(const Refreshing&) = delete;

   private:
    ServerTest* test_;
  };
  [[nodiscard]] Refreshing on_refresh(Refresh refresh) {
    std::lock_guard lock(mutex_);
    refresh_ = std::move(refresh);
    return Refreshing(this);
  }

  grpc::Status memstats(const pb::ProcessSelector& process, pb::GetMemStatsResponse* response) {
    grpc::ClientContext context;
    pb::GetMemStatsRequest request;
    *request.mutable_process() = process;
    return stats_->GetMemStats(&context, request, response);
  }

  struct Profile {
    grpc::Status status;
    pb::ProfileInfo info;
    std::string bytes;
    std::vector<size_t> pieces;
  };
  Profile profile(const pb::GetProfileRequest& request, grpc::ClientContext& context) {
    Profile out;
    const auto reader = profiles_->GetProfile(&context, request);
    pb::GetProfileResponse response;
    while (reader->Read(&response)) {
      if (response.has_info()) out.info = response.info();
      out.bytes += response.chunk();
      out.pieces.push_back(response.chunk().size());
    }
    out.status = reader->Finish();
    return out;
  }

  Registry registry_;
  SymbolSource* symbols_ = nullptr;
  std::mutex mutex_;
  Refresh refresh_;                // guarded by mutex_
  int running_ = 0;                // guarded by mutex_: refreshes under way
  std::condition_variable ended_;  // one of them has ended
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pb::Targets::Stub> targets_;
  std::unique_ptr<pb::Stats::Stub> stats_;
  std::unique_ptr<pb::Profiles::Stub> profiles_;
};

}  // namespace liballoc::agent
