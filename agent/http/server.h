// server.h - the agent's HTTP front end: /metrics, /healthz, /readyz, pprof endpoints and a small
// index page.
//
// One io thread owns all sockets and never computes; worker threads collect, encode and symbolize.
// A slow, silent or hostile client costs one bounded connection and delays nobody. Must never know
// discovery, segments or gRPC.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/http/context.h"

namespace liballoc::agent {

struct HttpOptions {
  std::string listen =
      "127.0.0.1:9890";  // "host:port" (port 0 = any free one), "[v6]:port" or "unix:/path"

  size_t max_connections = 256;       // further ones are answered 503 and closed
  uint32_t max_header_bytes = 16384;  // request line and headers; beyond: 431
  uint64_t max_body_bytes = 1 << 20;  // only POST /debug/pprof/symbol has one; beyond: 413
  size_t max_waiting_deltas =
      32;  // each holds a snapshot for its seconds; further ones are answered 503
  size_t max_processes =
      200;  // on /metrics; the rest is counted, see liballoc_agent_processes_omitted_total

  std::chrono::milliseconds header_timeout{10000};  // from a request's first byte to its end
  std::chrono::milliseconds idle_timeout{
      75000};  // between requests: longer than a usual scrape interval
  std::chrono::milliseconds write_timeout{30000};  // for one reply to be taken
  std::chrono::milliseconds refresh_timeout{
      2000};  // wait for fresh figures at most this long, then serve the last ones
  std::chrono::milliseconds stop_grace{5000};  // stop(): replies under way get this long
  std::chrono::seconds max_delta{3600};        // largest seconds=N

  std::string cgroup_root = "/sys/fs/cgroup";  // where the cgroup v2 tree is mounted
};

class HttpServer {
 public:
  HttpServer(HttpOptions options, HttpContext context);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds, listens and starts the threads. Returns what went wrong, naming the address; nullopt =
  // serving. Call once.
  [[nodiscard]] std::optional<std::string> start();

  // Stops accepting, lets replies under way finish within stop_grace, joins all threads.
  // Idempotent, any thread but ours.
  void stop();

  // "127.0.0.1:41234" with the port really bound, or "unix:/path". Empty before start().
  [[nodiscard]] std::string address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace liballoc::agent
