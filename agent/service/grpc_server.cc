// grpc_server.cc - see grpc_server.h. Must never take over an address that another process serves.
#include "agent/service/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/stat.h>

#include <atomic>
#include <utility>

#include "agent/base/log.h"
#include "agent/service/bind_error.h"
#include "agent/service/call_counts.h"
#include "agent/service/events_service.h"
#include "agent/service/profiles_service.h"
#include "agent/service/socket_guard.h"
#include "agent/service/spans_service.h"
#include "agent/service/stats_service.h"
#include "agent/service/targets_service.h"
#include "grpc/health/v1/health.pb.h"

namespace liballoc::agent {
namespace {

constexpr const char* kServices[] = {
    "liballoc.telemetry.v1.Targets",  "liballoc.telemetry.v1.Stats",
    "liballoc.telemetry.v1.Profiles", "liballoc.telemetry.v1.Spans",
    "liballoc.telemetry.v1.Events",
};

constexpr int kMaxRequestBytes = 64 * 1024;  // requests name a process and a few fields
constexpr int kMaxStreamsPerConnection = 256;
constexpr int kPingAfterMs = 60 * 1000;  // find out about clients that vanished
constexpr int kPingTimeoutMs = 20 * 1000;
constexpr int kClientPingsAllowedMs = 30 * 1000;

constexpr std::string_view kUnixPrefix = "unix:";

// Everything the process creates in this scope is for its user alone.
class PrivateUmask {
 public:
  PrivateUmask() : old_(::umask(0177)) {}
  ~PrivateUmask() { ::umask(old_); }
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;

 private:
  const mode_t old_;
};

// start() says itself what went wrong, in one line.
std::atomic<bool> g_starting{false};

// What gRPC itself reports becomes one line of ours; its INFO and DEBUG are of no use to an
// operator.
void log_from_grpc(gpr_log_func_args* args) {
  static LogLimiter limiter(10, std::chrono::seconds(60));
  if (args->severity != GPR_LOG_SEVERITY_ERROR) return;
  const bool starting = g_starting.load(std::memory_order_relaxed);
  limiter.log(starting ? LogLevel::kDebug : LogLevel::kWarning,
              std::string("grpc: ") + args->message);
}

std::shared_ptr<grpc::ServerCredentials> credentials(const std::optional<GrpcTls>& tls) {
  if (!tls) return grpc::InsecureServerCredentials();
  const bool mutual = !tls->client_ca_pem.empty();
  grpc::SslServerCredentialsOptions options(
      mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
             : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_key_cert_pairs.push_back({tls->key_pem, tls->certificate_pem});
  options.pem_root_certs = tls->client_ca_pem;
  return grpc::SslServerCredentials(options);
}

void configure(grpc::ServerBuilder& builder, const GrpcOptions& options) {
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  // Without this a second agent binds the same port and takes half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingAfterMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kClientPingsAllowedMs);
  // No grace period is set: it would end streams that are in use.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                             static_cast<int>(options.max_connection_age.count()));
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(GrpcOptions options, ServiceContext context)
      : options_(std::move(options)),
        state_(std::move(context), options_.limits),
        targets_(state_),
        stats_(state_),
        profiles_(state_),
        spans_(state_),
        events_(state_) {}

  std::optional<std::string> start();
  void stop();

  std::vector<std::string> addresses_;
  CallCounts counts_;

 private:
  const GrpcOptions options_;
  std::vector<SocketGuard> guards_;  // held while the server lives
  ServiceState state_;
  TargetsService targets_;
  StatsService stats_;
  ProfilesService profiles_;
  SpansService spans_;
  EventsService events_;
  std::unique_ptr<grpc::Server> server_;
};

std::optional<std::string> GrpcServer::Impl::start() {
  gpr_set_log_function(log_from_grpc);
  grpc::EnableDefaultHealthCheckService(true);
  // Named, or the linker may drop the plugin, and with it the descriptors of the health protocol.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::health::v1::HealthCheckRequest::descriptor();

  grpc::ServerBuilder builder;
  configure(builder, options_);
  std::vector<int> ports(options_.listen.size(), 0);
  for (size_t i = 0; i < options_.listen.size(); ++i) {
    const std::string& address = options_.listen[i];
    const bool is_unix = address.starts_with(kUnixPrefix);
    if (is_unix) {
      SocketGuard guard;
      if (auto wrong = guard.acquire(address.substr(kUnixPrefix.size()))) {
        return "cannot listen on " + address + ": " + *wrong;
      }
      guards_.push_back(std::move(guard));
    }
    builder.AddListeningPort(
        address, is_unix ? grpc::InsecureServerCredentials() : credentials(options_.tls),
        &ports[i]);
  }
  for (const char* service : kServices) counts_.know(service);
  counts_.know(grpc::health::v1::HealthCheckRequest::descriptor()->file()->service(0)->full_name());
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> counters;
  counters.push_back(std::make_unique<CallCounterFactory>(counts_));
  builder.experimental().SetInterceptorCreators(std::move(counters));
  builder.RegisterService(&targets_);
  builder.RegisterService(&stats_);
  builder.RegisterService(&profiles_);
  builder.RegisterService(&spans_);
  builder.RegisterService(&events_);
  {
    const PrivateUmask only_for_this_user;
    g_starting.store(true, std::memory_order_relaxed);
    server_ = builder.BuildAndStart();
    g_starting.store(false, std::memory_order_relaxed);
  }
  if (server_ == nullptr) {
    for (size_t i = 0; i < ports.size(); ++i) {
      if (ports[i] > 0) continue;  // the first one that failed
      const std::string& address = options_.listen[i];
      if (options_.tls && !address.starts_with(kUnixPrefix)) {
        const std::string why = explain_bind_failure(address);
        return "cannot listen on " + address + " with TLS: " + why +
               " (or the certificate and key do not fit)";
      }
      return "cannot listen on " + address + ": " +
             (address.starts_with(kUnixPrefix) ? "is its directory there and writable?"
                                               : explain_bind_failure(address));
    }
    return "cannot start the gRPC server";
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string& address = options_.listen[i];
    const size_t colon = address.rfind(':');
    addresses_.push_back(address.starts_with(kUnixPrefix)
                             ? address
                             : address.substr(0, colon + 1) + std::to_string(ports[i]));
  }
  for (const char* service : kServices) {
    server_->GetHealthCheckService()->SetServingStatus(service, true);
  }
  return std::nullopt;
}

void GrpcServer::Impl::stop() {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->Shutdown();            // NOT_SERVING, and stays so
  state_.draining.store(true, std::memory_order_relaxed);  // hurry()'s lock orders it before steps
  state_.reads.hurry();
  state_.profiles.hurry();
  server_->Shutdown(std::chrono::system_clock::now() + options_.stop_grace);
  server_->Wait();
  state_.reads.stop();
  state_.profiles.stop();
  server_.reset();
  guards_.clear();
}

GrpcServer::GrpcServer(GrpcOptions options, ServiceContext context)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(context))) {}

GrpcServer::~GrpcServer() { stop(); }

std::optional<std::string> GrpcServer::start() { return impl_->start(); }

void GrpcServer::stop() { impl_->stop(); }

const std::vector<std::string>& GrpcServer::addresses() const { return impl_->addresses_; }

std::vector<GrpcCallCount> GrpcServer::call_counts() const { return impl_->counts_.list(); }

}  // namespace liballoc::agent
