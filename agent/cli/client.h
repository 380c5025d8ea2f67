// client.h - the calls that allocctl makes, without a header of gRPC.
//
// One channel, one call at a time. Must never retry on its own: a script decides that.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "agent/cli/options.h"
#include "liballoc/telemetry/v1/events.pb.h"
#include "liballoc/telemetry/v1/profiles.pb.h"
#include "liballoc/telemetry/v1/spans.pb.h"
#include "liballoc/telemetry/v1/stats.pb.h"
#include "liballoc/telemetry/v1/targets.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

// What went wrong, for stderr, and the exit status that says so.
struct CliFailure {
  CliExit status = kCliFailed;
  std::string message;
};
template <typename T>
using CliResult = std::variant<T, CliFailure>;

class AgentClient {
 public:
  // The failure names a TLS file that cannot be read. Does not connect yet.
  [[nodiscard]] static CliResult<std::unique_ptr<AgentClient>> create(const CliOptions& options);
  ~AgentClient();

  [[nodiscard]] CliResult<pb::ListProcessesResponse> list_processes();
  [[nodiscard]] CliResult<pb::GetMemStatsResponse> memstats(const pb::GetMemStatsRequest& request);

  [[nodiscard]] CliResult<pb::ListFaultsResponse> faults(const pb::ListFaultsRequest& request);

  // Calls `next` with each reading until it returns false or the stream ends (then the result is
  // true).
  [[nodiscard]] CliResult<bool> watch_memstats(
      const pb::WatchMemStatsRequest& request,
      const std::function<bool(const pb::WatchMemStatsResponse&)>& next);

  // As watch_memstats().
  [[nodiscard]] CliResult<bool> watch_events(
      const pb::WatchEventsRequest& request,
      const std::function<bool(const pb::WatchEventsResponse&)>& next);
  [[nodiscard]] CliResult<bool> stream_spans(
      const pb::StreamSpansRequest& request,
      const std::function<bool(const pb::StreamSpansResponse&)>& next);

  [[nodiscard]] CliResult<pb::GetSizeClassesResponse> size_classes(
      const pb::GetSizeClassesRequest& request);
  [[nodiscard]] CliResult<pb::GetAddressMapResponse> address_map(
      const pb::GetAddressMapRequest& request);

  struct Profile {
    pb::ProfileInfo info;
    std::string bytes;
  };
  [[nodiscard]] CliResult<Profile> profile(const pb::GetProfileRequest& request);

 private:
  class Impl;
  explicit AgentClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace liballoc::agent
