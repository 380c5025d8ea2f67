// stats_service.cc - see stats_service.h. Must never wait on a gRPC thread.
#include "agent/service/stats_service.h"

#include <variant>

#include "agent/service/faults_reply.h"
#include "agent/service/memstats_reply.h"
#include "agent/service/unary_call.h"
#include "agent/service/watch_memstats_reactor.h"

namespace liballoc::agent {

grpc::ServerUnaryReactor* StatsService::GetMemStats(grpc::CallbackServerContext* context,
                                                    const pb::GetMemStatsRequest* request,
                                                    pb::GetMemStatsResponse* response) {
  return run_unary(state_, context, [this, context, request, response] {
    grpc::Status status = check_mask(request->field_mask());
    if (!status.ok()) return status;
    const FoundOrStatus found = find_process(state_, request->process(), context->deadline());
    if (std::holds_alternative<grpc::Status>(found)) return std::get<grpc::Status>(found);
    fill_memstats(std::get<FoundProcess>(found), request->field_mask(), response);
    return grpc::Status::OK;
  });
}

grpc::ServerUnaryReactor* StatsService::ListFaults(grpc::CallbackServerContext* context,
                                                   const pb::ListFaultsRequest* request,
                                                   pb::ListFaultsResponse* response) {
  // Symbols may take seconds: not on the queue of the quick calls.
  return run_unary(state_, state_.profiles, context, [this, context, request, response] {
    const FoundOrStatus found = find_process(state_, request->process(), context->deadline());
    if (std::holds_alternative<grpc::Status>(found)) return std::get<grpc::Status>(found);
    fill_faults(*std::get<FoundProcess>(found).snapshot,
                request->skip_symbols() ? nullptr : state_.context.symbols, response);
    return grpc::Status::OK;
  });
}

grpc::ServerWriteReactor<pb::WatchMemStatsResponse>* StatsService::WatchMemStats(
    grpc::CallbackServerContext* context, const pb::WatchMemStatsRequest* request) {
  return new WatchMemStatsReactor(state_, *context, *request);
}

}  // namespace liballoc::agent
