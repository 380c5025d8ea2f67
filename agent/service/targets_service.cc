// targets_service.cc - see targets_service.h. Must never wait on a gRPC thread.
#include "agent/service/targets_service.h"

#include "agent/messages/convert.h"
#include "agent/messages/process_list.h"
#include "agent/service/error_status.h"
#include "agent/service/process_finder.h"
#include "agent/service/unary_call.h"
#include "agent/service/watch_processes_reactor.h"

namespace liballoc::agent {

grpc::ServerUnaryReactor* TargetsService::ListProcesses(grpc::CallbackServerContext* context,
                                                        const pb::ListProcessesRequest* request,
                                                        pb::ListProcessesResponse* response) {
  return run_unary(state_, context, [this, context, request, response] {
    const grpc::Status status = to_status(check_states(request->states()));
    if (!status.ok()) return status;
    refresh_all(state_, context->deadline());
    fill_process_list(processes_in(*state_.context.registry, request->states()), response);
    return status;
  });
}

grpc::ServerWriteReactor<pb::WatchProcessesResponse>* TargetsService::WatchProcesses(
    grpc::CallbackServerContext*, const pb::WatchProcessesRequest* request) {
  return new WatchProcessesReactor(state_, *request);
}

}  // namespace liballoc::agent
