// watch_events_reactor.h - one WatchEvents stream.
//
// A chain of single steps: read the process (on a worker), write what is new, wait, read again.
// Whoever runs the current step owns the stream, so there is one write in flight at most and Finish
// is called once. Keeps a place in the agent's log and one message; what the log drops meanwhile is
// counted to the client. Must never queue messages.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "agent/messages/event_messages.h"
#include "agent/model/event_log.h"
#include "agent/service/context.h"
#include "agent/service/process_finder.h"
#include "agent/service/wakeup.h"
#include "liballoc/telemetry/v1/events.pb.h"

namespace liballoc::agent {

class WatchEventsReactor final
    : public grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchEventsResponse> {
 public:
  WatchEventsReactor(ServiceState& state, const grpc::CallbackServerContext& context,
                     const ::liballoc::telemetry::v1::WatchEventsRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  grpc::Status check_request();
  void wait_and_read(WorkQueue::Clock::time_point when);
  void read();
  // The place of the first event that is wanted.
  grpc::Status begin(const FoundProcess& target);
  // True when there is something to send, and it is in response_.
  bool fill(const Snapshot& snapshot, const EventBatch& batch);

  ServiceState& state_;
  const std::chrono::system_clock::time_point deadline_;
  const ::liballoc::telemetry::v1::WatchEventsRequest request_;
  const bool counted_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::chrono::nanoseconds interval_{std::chrono::milliseconds(100)};
  std::string key_;  // of the process, once it is found
  EventFilter filter_;
  EventCursor cursor_;
  bool more_ = false;   // events wait behind the message that is being written
  bool ended_ = false;  // the message that is being written is the last one
  ::liballoc::telemetry::v1::WatchEventsResponse response_;
};

}  // namespace liballoc::agent
