// get_profile_reactor.h - one GetProfile call: read, wait where a duration is asked for, read
// again, encode, send pieces.
//
// A chain of single steps; whoever runs the current step owns the call, so there is one write in
// flight at most and Finish is called once. Reading, encoding and symbolizing run on the profiles
// queue; a call that waits holds a snapshot but no thread. Must never encode on a gRPC thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "agent/model/snapshot.h"
#include "agent/service/context.h"
#include "agent/service/process_finder.h"
#include "agent/service/wakeup.h"
#include "liballoc/telemetry/v1/profiles.pb.h"

namespace liballoc::agent {

class GetProfileReactor final
    : public grpc::ServerWriteReactor<::liballoc::telemetry::v1::GetProfileResponse> {
 public:
  GetProfileReactor(ServiceState& state, const grpc::CallbackServerContext& context,
                    const ::liballoc::telemetry::v1::GetProfileRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  grpc::Status check_request();
  void schedule(WorkQueue::Clock::time_point when, void (GetProfileReactor::*step)());
  void read_first();
  void read_last();
  void encode_and_send(const FoundProcess& target);
  void send_piece();

  ServiceState& state_;
  const std::chrono::system_clock::time_point deadline_;
  const ::liballoc::telemetry::v1::GetProfileRequest request_;
  const bool counted_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::chrono::nanoseconds duration_{0};    // 0 = not over a time
  std::shared_ptr<const Snapshot> before_;  // the beginning of that time
  std::string bytes_;                       // the whole profile
  size_t sent_ = 0;                         // bytes of it handed to gRPC
  ::liballoc::telemetry::v1::GetProfileResponse response_;
};

}  // namespace liballoc::agent
