// events_service.h - the Events service: what happens in a process's heap.
//
// Must never wait on a gRPC thread. WatchEvents lives in watch_events_reactor.
#pragma once

#include "agent/service/context.h"
#include "agent/service/watch_events_reactor.h"
#include "liballoc/telemetry/v1/events.grpc.pb.h"

namespace liballoc::agent {

class EventsService final : public ::liballoc::telemetry::v1::Events::CallbackService {
 public:
  explicit EventsService(ServiceState& state) : state_(state) {}

  grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchEventsResponse>* WatchEvents(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::WatchEventsRequest* request) override {
    return new WatchEventsReactor(state_, *context, *request);
  }

 private:
  ServiceState& state_;
};

}  // namespace liballoc::agent
