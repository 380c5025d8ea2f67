// call_counts.h - how many calls were answered, by method and status code.
//
// Counts what the server decides when it ends a call, whether or not the client still listens.
// Thread-safe. The table is bounded: what is no method of the server's counts as "other".
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/service/grpc_server.h"

namespace liballoc::agent {

class CallCounts {
 public:
  // `service` is a full name, such as "liballoc.telemetry.v1.Stats", whose descriptor is linked in.
  void know(const std::string& service);  // before the server starts
  void add(const std::string& method, grpc::StatusCode code);
  std::vector<GrpcCallCount> list() const;

 private:
  std::set<std::string> known_;  // "/service/method"; constant once the server runs
  mutable std::mutex mutex_;     // guards counts_
  std::map<std::pair<std::string, int>, uint64_t> counts_;
};

// Gives each call an interceptor that counts its end. `counts` must outlive the server.
class CallCounterFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallCounterFactory(CallCounts& counts) : counts_(counts) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override;

 private:
  CallCounts& counts_;
};

}  // namespace liballoc::agent
