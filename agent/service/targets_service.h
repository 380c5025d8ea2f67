// targets_service.h - the Targets service: which processes there are.
//
// Must never wait on a gRPC thread. WatchProcesses lives in watch_processes_reactor.
#pragma once

#include "agent/service/context.h"
#include "liballoc/telemetry/v1/targets.grpc.pb.h"

namespace liballoc::agent {

class TargetsService final : public ::liballoc::telemetry::v1::Targets::CallbackService {
 public:
  explicit TargetsService(ServiceState& state) : state_(state) {}

  grpc::ServerUnaryReactor* ListProcesses(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::ListProcessesRequest* request,
      ::liballoc::telemetry::v1::ListProcessesResponse* response) override;
  grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchProcessesResponse>* WatchProcesses(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::WatchProcessesRequest* request) override;

 private:
  ServiceState& state_;
};

}  // namespace liballoc::agent
