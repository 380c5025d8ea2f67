// unary_call.h - runs the body of a unary call on a WorkQueue and finishes the call exactly once.
//
// The body may wait. Must never run on a gRPC thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <utility>

#include "agent/service/context.h"
#include "agent/service/process_finder.h"

namespace liballoc::agent {

// `body` returns the call's grpc::Status and has filled in the response; `context` lives until it
// has returned.
template <typename Body>
grpc::ServerUnaryReactor* run_unary(ServiceState& state, WorkQueue& queue,
                                    grpc::CallbackServerContext* context, Body body) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (state.draining.load(std::memory_order_relaxed)) {
    reactor->Finish(draining_status());
    return reactor;
  }
  const bool accepted = queue.submit([context, reactor, body = std::move(body)] {
    reactor->Finish(context->IsCancelled() ? grpc::Status::CANCELLED : body());
  });
  if (!accepted) {
    reactor->Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                 "too many calls wait for an answer; try again later"));
  }
  return reactor;
}

template <typename Body>
grpc::ServerUnaryReactor* run_unary(ServiceState& state, grpc::CallbackServerContext* context,
                                    Body body) {
  return run_unary(state, state.reads, context, std::move(body));
}

}  // namespace liballoc::agent
