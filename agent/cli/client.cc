// client.cc - see client.h. Must never retry on its own.
#include "agent/cli/client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

#include "agent/base/text.h"
#include "liballoc/telemetry/v1/events.grpc.pb.h"
#include "liballoc/telemetry/v1/profiles.grpc.pb.h"
#include "liballoc/telemetry/v1/spans.grpc.pb.h"
#include "liballoc/telemetry/v1/stats.grpc.pb.h"
#include "liballoc/telemetry/v1/targets.grpc.pb.h"

namespace liballoc::agent {
namespace {

constexpr std::chrono::seconds kCallTimeout{15};
// Symbolizing a large program takes a while, and so do some million spans.
constexpr std::chrono::seconds kProfileTimeout{180};

// Only what is not ours to say: the agent's own messages are shown as they are.
CliFailure failed(const std::string& agent, const grpc::Status& status) {
  const std::string message = escape_control(status.error_message());
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {kCliUnreachable, "no agent answers at " + agent + ": " + message};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {kCliUnreachable, "the agent at " + agent + " did not answer in time"};
    case grpc::StatusCode::NOT_FOUND:
      return {kCliNoProcess, message};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {kCliFailed, "what listens at " + agent + " is no agent of this version: " + message};
    default:
      return {kCliFailed, message};
  }
}

// An empty path is no file and gives no bytes.
bool read_file(const std::string& path, std::string* out) {
  if (path.empty()) return true;
  std::ifstream file(path, std::ios::binary);
  out->assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return file.good() && !out->empty();
}

std::chrono::system_clock::time_point deadline_in(std::chrono::seconds seconds) {
  return std::chrono::system_clock::now() + seconds;
}

// Hands each message to `next` until it returns false or the stream ends.
template <typename Response>
CliResult<bool> follow(const std::string& agent, grpc::ClientContext& context,
                       grpc::ClientReader<Response>& reader,
                       const std::function<bool(const Response&)>& next) {
  Response response;
  while (reader.Read(&response)) {
    if (next(response)) continue;
    context.TryCancel();
    while (reader.Read(&response)) {
    }
    reader.Finish();  // CANCELLED, as we asked for
    return false;
  }
  const grpc::Status status = reader.Finish();
  if (!status.ok()) return failed(agent, status);
  return true;
}

}  // namespace

class AgentClient::Impl {
 public:
  Impl(std::string agent, const std::shared_ptr<grpc::Channel>& channel)
      : agent_(std::move(agent)),
        targets_(pb::Targets::NewStub(channel)),
        stats_(pb::Stats::NewStub(channel)),
        profiles_(pb::Profiles::NewStub(channel)),
        spans_(pb::Spans::NewStub(channel)),
        events_(pb::Events::NewStub(channel)) {}

  const std::string agent_;
  const std::unique_ptr<pb::Targets::Stub> targets_;
  const std::unique_ptr<pb::Stats::Stub> stats_;
  const std::unique_ptr<pb::Profiles::Stub> profiles_;
  const std::unique_ptr<pb::Spans::Stub> spans_;
  const std::unique_ptr<pb::Events::Stub> events_;
};

CliResult<std::unique_ptr<AgentClient>> AgentClient::create(const CliOptions& options) {
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (!options.tls_ca.empty()) {
    grpc::SslCredentialsOptions tls;
    const std::pair<const std::string&, std::string*> files[] = {
        {options.tls_ca, &tls.pem_root_certs},
        {options.tls_cert, &tls.pem_cert_chain},
        {options.tls_key, &tls.pem_private_key}};
    for (const auto& [path, bytes] : files) {
      if (!read_file(path, bytes)) {
        return CliFailure{kCliUsage, "cannot read \"" + escape_control(path) + "\""};
      }
    }
    credentials = grpc::SslCredentials(tls);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // an agent is near: a proxy cannot reach it
  const auto channel = grpc::CreateCustomChannel(options.agent, credentials, arguments);
  return std::unique_ptr<AgentClient>(
      new AgentClient(std::make_unique<Impl>(options.agent, channel)));
}

AgentClient::AgentClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AgentClient::~AgentClient() = default;

CliResult<pb::ListProcessesResponse> AgentClient::list_processes() {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kCallTimeout));
  pb::ListProcessesResponse response;
  const grpc::Status status = impl_->targets_->ListProcesses(&context, {}, &response);
  if (!status.ok()) return failed(impl_->agent_, status);
  return response;
}

CliResult<pb::GetMemStatsResponse> AgentClient::memstats(const pb::GetMemStatsRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kCallTimeout));
  pb::GetMemStatsResponse response;
  const grpc::Status status = impl_->stats_->GetMemStats(&context, request, &response);
  if (!status.ok()) return failed(impl_->agent_, status);
  return response;
}

CliResult<pb::ListFaultsResponse> AgentClient::faults(const pb::ListFaultsRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kCallTimeout));
  pb::ListFaultsResponse response;
  const grpc::Status status = impl_->stats_->ListFaults(&context, request, &response);
  if (!status.ok()) return failed(impl_->agent_, status);
  return response;
}

CliResult<bool> AgentClient::watch_memstats(
    const pb::WatchMemStatsRequest& request,
    const std::function<bool(const pb::WatchMemStatsResponse&)>& next) {
  grpc::ClientContext context;
  const auto reader = impl_->stats_->WatchMemStats(&context, request);
  return follow(impl_->agent_, context, *reader, next);
}

CliResult<bool> AgentClient::watch_events(
    const pb::WatchEventsRequest& request,
    const std::function<bool(const pb::WatchEventsResponse&)>& next) {
  grpc::ClientContext context;
  const auto reader = impl_->events_->WatchEvents(&context, request);
  return follow(impl_->agent_, context, *reader, next);
}

CliResult<bool> AgentClient::stream_spans(
    const pb::StreamSpansRequest& request,
    const std::function<bool(const pb::StreamSpansResponse&)>& next) {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kProfileTimeout));
  const auto reader = impl_->spans_->StreamSpans(&context, request);
  return follow(impl_->agent_, context, *reader, next);
}

CliResult<pb::GetSizeClassesResponse> AgentClient::size_classes(
    const pb::GetSizeClassesRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kCallTimeout));
  pb::GetSizeClassesResponse response;
  const grpc::Status status = impl_->spans_->GetSizeClasses(&context, request, &response);
  if (!status.ok()) return failed(impl_->agent_, status);
  return response;
}

CliResult<pb::GetAddressMapResponse> AgentClient::address_map(
    const pb::GetAddressMapRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(deadline_in(kCallTimeout));
  pb::GetAddressMapResponse response;
  const grpc::Status status = impl_->spans_->GetAddressMap(&context, request, &response);
  if (!status.ok()) return failed(impl_->agent_, status);
  return response;
}

CliResult<AgentClient::Profile> AgentClient::profile(const pb::GetProfileRequest& request) {
  grpc::ClientContext context;
  context.set_deadline(
      deadline_in(kProfileTimeout + std::chrono::seconds(request.duration().seconds())));
  const auto reader = impl_->profiles_->GetProfile(&context, request);
  Profile profile;
  pb::GetProfileResponse response;
  while (reader->Read(&response)) {
    if (response.has_info()) profile.info = response.info();
    profile.bytes += response.chunk();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return failed(impl_->agent_, status);
  if (profile.bytes.empty() || profile.bytes.size() != profile.info.total_bytes()) {
    return CliFailure{
        kCliFailed, "the profile is incomplete: " + std::to_string(profile.bytes.size()) + " of " +
                        std::to_string(profile.info.total_bytes()) + " bytes came"};
  }
  return profile;
}

}  // namespace liballoc::agent
