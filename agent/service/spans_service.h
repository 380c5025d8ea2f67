// spans_service.h - the Spans service: span state as data.
//
// Must never wait on a gRPC thread. StreamSpans lives in stream_spans_reactor.
#pragma once

#include "agent/service/context.h"
#include "liballoc/telemetry/v1/spans.grpc.pb.h"

namespace liballoc::agent {

class SpansService final : public ::liballoc::telemetry::v1::Spans::CallbackService {
 public:
  explicit SpansService(ServiceState& state) : state_(state) {}

  grpc::ServerUnaryReactor* ListSpans(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::ListSpansRequest* request,
      ::liballoc::telemetry::v1::ListSpansResponse* response) override;
  grpc::ServerWriteReactor<::liballoc::telemetry::v1::StreamSpansResponse>* StreamSpans(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::StreamSpansRequest* request) override;
  grpc::ServerUnaryReactor* GetSizeClasses(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::GetSizeClassesRequest* request,
      ::liballoc::telemetry::v1::GetSizeClassesResponse* response) override;
  grpc::ServerUnaryReactor* GetAddressMap(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::GetAddressMapRequest* request,
      ::liballoc::telemetry::v1::GetAddressMapResponse* response) override;

 private:
  ServiceState& state_;
};

}  // namespace liballoc::agent
