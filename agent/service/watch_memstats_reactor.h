// watch_memstats_reactor.h - one WatchMemStats stream.
//
// A chain of single steps: read (on a worker), write, wait for the next interval, read again.
// Whoever runs the current step owns the stream, so there is one write in flight at most and Finish
// is called once. Nothing is read while a write is in flight: a slow reader skips readings, is told
// how many, and gets the newest. Must never queue messages.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "agent/service/context.h"
#include "agent/service/wakeup.h"
#include "liballoc/telemetry/v1/stats.pb.h"

namespace liballoc::agent {

class WatchMemStatsReactor final
    : public grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchMemStatsResponse> {
 public:
  WatchMemStatsReactor(ServiceState& state, const grpc::CallbackServerContext& context,
                       const ::liballoc::telemetry::v1::WatchMemStatsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  grpc::Status check_request();
  void read();
  void wait_and_read();

  ServiceState& state_;
  const std::chrono::system_clock::time_point deadline_;
  const ::liballoc::telemetry::v1::WatchMemStatsRequest request_;
  const bool counted_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::chrono::nanoseconds interval_{std::chrono::seconds(1)};
  WorkQueue::Clock::time_point due_;  // when the current or next reading is or was due
  std::string key_;                   // of the process, once found
  ProcessIdentity watched_;           // who it was then
  uint64_t skipped_ = 0;
  bool ended_ = false;  // the message in flight is the last one
  ::liballoc::telemetry::v1::WatchMemStatsResponse response_;
};

}  // namespace liballoc::agent
