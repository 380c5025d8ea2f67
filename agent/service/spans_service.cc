// spans_service.cc - see spans_service.h. Must never wait on a gRPC thread.
#include "agent/service/spans_service.h"

#include <variant>

#include "agent/messages/span_messages.h"
#include "agent/service/error_status.h"
#include "agent/service/process_finder.h"
#include "agent/service/stream_spans_reactor.h"
#include "agent/service/unary_call.h"

namespace liballoc::agent {
namespace {

// Finds the process that the request names and lets `fill` make the reply from its snapshot.
template <typename Request, typename Response, typename Fill>
grpc::ServerUnaryReactor* answer(ServiceState& state, grpc::CallbackServerContext* context,
                                 const Request* request, Response* response, Fill fill) {
  return run_unary(state, context, [&state, context, request, response, fill] {
    const FoundOrStatus found = find_process(state, request->process(), context->deadline());
    if (std::holds_alternative<grpc::Status>(found)) return std::get<grpc::Status>(found);
    const FoundProcess& target = std::get<FoundProcess>(found);
    const Status filled = fill(*target.snapshot, *request, response);
    if (filled) response->set_stale(target.stale);
    return to_status(filled);
  });
}

}  // namespace

grpc::ServerUnaryReactor* SpansService::ListSpans(grpc::CallbackServerContext* context,
                                                  const pb::ListSpansRequest* request,
                                                  pb::ListSpansResponse* response) {
  return answer(state_, context, request, response, fill_span_page);
}

grpc::ServerWriteReactor<pb::StreamSpansResponse>* SpansService::StreamSpans(
    grpc::CallbackServerContext* context, const pb::StreamSpansRequest* request) {
  return new StreamSpansReactor(state_, *context, *request);
}

grpc::ServerUnaryReactor* SpansService::GetSizeClasses(grpc::CallbackServerContext* context,
                                                       const pb::GetSizeClassesRequest* request,
                                                       pb::GetSizeClassesResponse* response) {
  return answer(state_, context, request, response,
                [](const Snapshot& snapshot, const pb::GetSizeClassesRequest& asked,
                   pb::GetSizeClassesResponse* out) -> Status {
                  fill_size_classes(snapshot, asked.used_only(), out);
                  return {};
                });
}

grpc::ServerUnaryReactor* SpansService::GetAddressMap(grpc::CallbackServerContext* context,
                                                      const pb::GetAddressMapRequest* request,
                                                      pb::GetAddressMapResponse* response) {
  return answer(
      state_, context, request, response,
      [](const Snapshot& snapshot, const pb::GetAddressMapRequest& asked,
         pb::GetAddressMapResponse* out) { return fill_address_map(snapshot, asked, out); });
}

}  // namespace liballoc::agent
