// stream_spans_reactor.h - one StreamSpans call: read the process once, then send piece by piece.
//
// A chain of single steps; whoever runs the current step owns the call. Holds one snapshot and one
// message, however slow the client is. Must never read or sort on a gRPC thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/service/context.h"
#include "agent/service/wakeup.h"
#include "liballoc/telemetry/v1/spans.pb.h"

namespace liballoc::agent {

class StreamSpansReactor final
    : public grpc::ServerWriteReactor<::liballoc::telemetry::v1::StreamSpansResponse> {
 public:
  StreamSpansReactor(ServiceState& state, const grpc::CallbackServerContext& context,
                     const ::liballoc::telemetry::v1::StreamSpansRequest& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void read();
  void send_piece();

  ServiceState& state_;
  const std::chrono::system_clock::time_point deadline_;
  const ::liballoc::telemetry::v1::StreamSpansRequest request_;
  const bool counted_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<const Span*> spans_;  // of snapshot_
  size_t sent_ = 0;                 // of spans_
  ::liballoc::telemetry::v1::StreamSpansResponse response_;
};

}  // namespace liballoc::agent
