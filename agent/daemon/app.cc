// app.cc - see app.h. Must never do work of its own on the main thread but wait for the signal.
#include "agent/daemon/app.h"

#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/discover/collector.h"
#include "agent/http/server.h"
#include "agent/model/registry.h"
#include "agent/service/grpc_server.h"
#include "agent/symbolize/symbolizer.h"

namespace liballoc::agent {
namespace {

// Blocked in all threads, so that wait() below is the one place that gets them.
class StopSignals {
 public:
  StopSignals() {
    ::sigemptyset(&set_);
    ::sigaddset(&set_, SIGTERM);
    ::sigaddset(&set_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // a client that is gone is an error of one write
  }

  int wait() {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

 private:
  sigset_t set_{};
};

// One per segment (4096 at most), connection and symbol file, with room to spare.
constexpr rlim_t kWantedOpenFiles = 8192;

// Symbol files, connections and segments each take a descriptor; the usual soft limit of 1024 is
// below their bounds.
void allow_open_files() {
  rlimit limit{};
  const bool known = ::getrlimit(RLIMIT_NOFILE, &limit) == 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (!known || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    log_warning("the limit on open files stays at " +
                (known ? std::to_string(before) : std::string("an unknown number")) + ": " +
                std::strerror(errno));
  } else if (limit.rlim_max < kWantedOpenFiles) {
    log_warning(
        "the limit on open files is " + std::to_string(limit.rlim_max) +
        ", which may not be raised further: segments beyond it are counted as open_failed; " +
        std::to_string(kWantedOpenFiles) + " would be enough for all");
  }
}

GrpcOptions grpc_options(const AgentConfig& config) {
  GrpcOptions options;
  options.listen = config.grpc_listen;
  if (!config.tls_certificate_pem.empty()) {
    options.tls = GrpcTls{config.tls_certificate_pem, config.tls_key_pem, config.tls_client_ca_pem};
  }
  return options;
}

AgentStats agent_stats(const Collector& collector, const GrpcServer& grpc) {
  const CollectorStats from = collector.stats();
  AgentStats stats;
  stats.version = LIBALLOC_VERSION;
  stats.revision = LIBALLOC_REVISION;
  for (size_t i = 0; i < kRejectCount; ++i) {
    stats.segments_rejected[std::string(reject_name(static_cast<Reject>(i)))] = from.rejected[i];
  }
  stats.collections = from.collections;
  stats.collect_seconds = from.collect_seconds;
  stats.processes_live = from.processes_live;
  stats.processes_exited = from.processes_exited;
  stats.ring_missed = from.ring_missed;
  for (GrpcCallCount& call : grpc.call_counts()) {
    stats.grpc_handled.push_back({std::move(call.method), std::move(call.code), call.count});
  }
  return stats;
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

int cannot_start(const std::string& why) {
  std::fprintf(stderr, "alloc-agent: %s\n", why.c_str());
  return 1;
}

}  // namespace

int run_agent(const AgentConfig& config) {
  StopSignals signals;
  set_log_level(config.log_level);
  allow_open_files();

  // Destroyed in reverse order: the front ends go before what they read.
  Registry registry;
  Symbolizer symbolizer;
  CollectorOptions collector_options;
  collector_options.shm_dir = config.shm_dir;
  collector_options.retain_exited = config.retain_exited;
  Collector collector(collector_options, registry);
  const auto refresh = [&collector](const std::string& key, std::chrono::milliseconds deadline) {
    return collector.collect_now(key, deadline);
  };

  GrpcServer grpc(grpc_options(config), ServiceContext{&registry, &symbolizer, refresh});
  HttpOptions http_options;
  http_options.listen = config.http_listen;
  HttpContext http_context;
  http_context.registry = &registry;
  http_context.symbols = &symbolizer;
  http_context.refresh = refresh;
  http_context.agent_stats = [&collector, &grpc] { return agent_stats(collector, grpc); };
  HttpServer http(http_options, http_context);

  // gRPC first: it sets the umask for a moment, and no other thread may create files then.
  if (const auto wrong = grpc.start()) return cannot_start("gRPC " + *wrong);
  if (const auto wrong = http.start()) return cannot_start("HTTP " + *wrong);
  if (const Status started = collector.start(); !started) {
    return cannot_start(started.error().message);
  }

  std::printf("alloc-agent ready grpc=%s http=%s shm-dir=%s\n", join(grpc.addresses()).c_str(),
              http.address().c_str(), escape_control(config.shm_dir).c_str());
  std::fflush(stdout);

  const int signal = signals.wait();
  log_info(std::string("stopping after ") + (signal == SIGTERM ? "SIGTERM" : "SIGINT"));
  grpc.stop();
  http.stop();
  collector.stop();
  return 0;
}

}  // namespace liballoc::agent
