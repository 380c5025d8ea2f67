// watch_processes_reactor.h - one WatchProcesses stream.
//
// A chain of single steps: look (on a worker), write, wait, look again. Whoever runs the current
// step owns the stream, so there is one write in flight at most, Finish is called once, and what is
// sent is the newest there is: a slow reader costs one message of memory. Must never queue
// messages.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "agent/service/context.h"
#include "agent/service/wakeup.h"
#include "liballoc/telemetry/v1/targets.pb.h"

namespace liballoc::agent {

class WatchProcessesReactor final
    : public grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchProcessesResponse> {
 public:
  WatchProcessesReactor(ServiceState& state,
                        const ::liballoc::telemetry::v1::WatchProcessesRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void look();
  void wait_and_look(WorkQueue::Clock::time_point when);

  ServiceState& state_;
  const ::liballoc::telemetry::v1::WatchProcessesRequest request_;
  const bool counted_;
  const std::shared_ptr<Wakeup> wakeup_;
  ::liballoc::telemetry::v1::WatchProcessesResponse response_;
  std::string sent_;           // membership() of what was sent last
  uint64_t seen_version_ = 0;  // of the registry, when last looked at
  bool first_ = true;
};

}  // namespace liballoc::agent
