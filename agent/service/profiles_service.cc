// profiles_service.cc - see profiles_service.h. Must never encode or symbolize on a gRPC thread.
#include "agent/service/profiles_service.h"

#include "agent/service/get_profile_reactor.h"

namespace liballoc::agent {

grpc::ServerWriteReactor<::liballoc::telemetry::v1::GetProfileResponse>*
ProfilesService::GetProfile(grpc::CallbackServerContext* context,
                            const ::liballoc::telemetry::v1::GetProfileRequest* request) {
  return new GetProfileReactor(state_, *context, *request);
}

}  // namespace liballoc::agent
