// profiles_service.h - the Profiles service: sampled profiles of one process.
//
// Must never encode or symbolize on a gRPC thread. GetProfile lives in get_profile_reactor.
#pragma once

#include "agent/service/context.h"
#include "liballoc/telemetry/v1/profiles.grpc.pb.h"

namespace liballoc::agent {

class ProfilesService final : public ::liballoc::telemetry::v1::Profiles::CallbackService {
 public:
  explicit ProfilesService(ServiceState& state) : state_(state) {}

  grpc::ServerWriteReactor<::liballoc::telemetry::v1::GetProfileResponse>* GetProfile(
      grpc::CallbackServerContext* context,
      const ::liballoc::telemetry::v1::GetProfileRequest* request) override;

 private:
  ServiceState& state_;
};

}  // namespace liballoc::agent
