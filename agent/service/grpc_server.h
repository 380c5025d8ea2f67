// grpc_server.h - the agent's gRPC front end: listeners, the services of liballoc.telemetry.v1,
// health and reflection.
//
// Small calls are answered on gRPC's threads; whatever waits or computes runs on worker threads. A
// slow, stuck or cancelled client costs one bounded call and delays nobody. Must never know
// discovery, segments or HTTP; no header of gRPC is included here.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/service/context.h"

namespace liballoc::agent {

struct GrpcTls {
  std::string certificate_pem;  // chain, leaf first
  std::string key_pem;
  std::string client_ca_pem;  // not empty: clients must show a certificate that it signed
};

// Calls that ended, by method ("/package.Service/Method", or "other") and status code ("OK").
struct GrpcCallCount {
  std::string method;
  std::string code;
  uint64_t count = 0;
};

struct GrpcOptions {
  // "host:port" (port 0 = any free one), "[v6]:port" or "unix:/path". At least one.
  std::vector<std::string> listen{"127.0.0.1:9891"};
  std::optional<GrpcTls> tls;                  // for all but unix sockets, which have mode 0600
  std::chrono::milliseconds stop_grace{5000};  // stop(): calls under way get this long
  // After so long a connection takes no further calls: its client opens another, which spreads
  // clients again after a change of what stands between. Open calls and streams go on.
  std::chrono::milliseconds max_connection_age{3600 * 1000};
  ServiceLimits limits;
};

class GrpcServer {
 public:
  GrpcServer(GrpcOptions options, ServiceContext context);
  ~GrpcServer();  // stops
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  // Binds, listens and serves. Returns what went wrong, naming the address; nullopt = serving. Call
  // once, before other threads create files: the umask is changed for a moment.
  [[nodiscard]] std::optional<std::string> start();

  // Health says NOT_SERVING, open streams end with UNAVAILABLE, calls under way finish within
  // stop_grace and are then cancelled. Idempotent.
  void stop();

  // As given in GrpcOptions, with the ports really bound. Empty before start().
  [[nodiscard]] const std::vector<std::string>& addresses() const;

  // Thread-safe, at any time.
  [[nodiscard]] std::vector<GrpcCallCount> call_counts() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liballoc::agent
