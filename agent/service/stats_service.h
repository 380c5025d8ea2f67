// stats_service.h - the Stats service: the figures of one process.
//
// Must never wait on a gRPC thread. WatchMemStats lives in watch_memstats_reactor.
#pragma once

#include "agent/service/context.h"
#include "liballoc/telemetry/v1/stats.grpc.pb.h"

namespace liballoc::agent {

class StatsService final : public ::liballoc::telemetry::v1::Stats::CallbackService {
 public:
  explicit StatsService(ServiceState& state) : state_(state) {}

  grpc::ServerUnaryReactor* GetMemStats(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::GetMemStatsRequest* request,
      ::liballoc::telemetry::v1::GetMemStatsResponse* response) override;
  grpc::ServerUnaryReactor* ListFaults(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::ListFaultsRequest* request,
      ::liballoc::telemetry::v1::ListFaultsResponse* response) override;
  grpc::ServerWriteReactor<::liballoc::telemetry::v1::WatchMemStatsResponse>* WatchMemStats(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::WatchMemStatsRequest* request) override;

 private:
  ServiceState& state_;
};

}  // namespace liballoc::agent
