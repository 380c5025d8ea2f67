// commands.cc - see commands.h. Must never print a string of a process unescaped.
#include "agent/cli/commands.h"

#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>
#include <variant>

#include "agent/base/text.h"
#include "agent/cli/client.h"
#include "agent/cli/command_parts.h"
#include "agent/cli/dump.h"
#include "agent/cli/format.h"
#include "agent/cli/render.h"
#include "agent/cli/view_commands.h"
#include "agent/messages/json.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kReadingsPerHeader = 20;

CliExit run_ps(AgentClient& client, const CliOptions& options, std::ostream& out,
               std::ostream& err) {
  const auto reply = client.list_processes();
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const auto& list = std::get<0>(reply);
  out << (options.json ? to_json(list, JsonStyle::kPretty) : render_processes(list));
  return flushed(out, err);
}

CliExit run_stats(AgentClient& client, const CliOptions& options,
                  const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  pb::GetMemStatsRequest request;
  *request.mutable_process() = process;
  const auto reply = client.memstats(request);
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const auto& stats = std::get<0>(reply);
  if (options.json) {
    out << to_json(stats, JsonStyle::kPretty);
  } else {
    out << render_memstats(stats);
    if (options.classes) out << "\n" << render_classes(stats.memstats());
    if (stats.process().state() == pb::PROCESS_STATE_FAULTED) {
      pb::ListFaultsRequest faults_request;
      faults_request.mutable_process()->set_key(stats.process().key());
      const auto faults = client.faults(faults_request);
      if (const auto* failure = std::get_if<CliFailure>(&faults)) return complain(err, *failure);
      out << render_faults(std::get<0>(faults));
    }
  }
  return flushed(out, err);
}

CliExit run_watch(AgentClient& client, const CliOptions& options,
                  const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  pb::WatchMemStatsRequest request;
  *request.mutable_process() = process;
  const int64_t ms = options.interval.count();
  request.mutable_interval()->set_seconds(ms / 1000);
  request.mutable_interval()->set_nanos(static_cast<int32_t>(ms % 1000) * 1000000);
  std::optional<pb::WatchMemStatsResponse> before;
  uint64_t readings = 0;
  const auto result = client.watch_memstats(request, [&](const pb::WatchMemStatsResponse& now) {
    if (options.json) {
      out << to_json(now, JsonStyle::kOneLine);
    } else {
      if (readings % kReadingsPerHeader == 0) out << watch_header();
      out << render_reading(now, before ? &*before : nullptr);
      before = now;
    }
    out.flush();
    ++readings;
    return out.good() && (options.count == 0 || readings < options.count);
  });
  if (const auto* failure = std::get_if<CliFailure>(&result)) return complain(err, *failure);
  return flushed(out, err);
}

CliExit run_profile(AgentClient& client, const CliOptions& options,
                    const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  const bool to_stdout = options.output == "-";
  if (to_stdout && options.json) {
    return complain(err, {kCliUsage, "--json and -o - both want stdout"});
  }
  if (to_stdout && ::isatty(STDOUT_FILENO) == 1) {
    return complain(err, {kCliUsage, "-o -: a profile is binary and stdout is a terminal"});
  }
  pb::GetProfileRequest request;
  *request.mutable_process() = process;
  request.set_kind(options.allocs ? pb::PROFILE_KIND_ALLOCS : pb::PROFILE_KIND_HEAP);
  request.set_skip_symbols(!options.symbols);
  if (options.seconds != 0) request.mutable_duration()->set_seconds(options.seconds);
  const auto reply = client.profile(request);
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const AgentClient::Profile& profile = std::get<0>(reply);
  if (to_stdout) {
    out.write(profile.bytes.data(), static_cast<std::streamsize>(profile.bytes.size()));
    return flushed(out, err);
  }
  const std::string kind = options.allocs ? "allocs" : "heap";
  const std::string path =
      options.output.empty() ? kind + "." + std::to_string(profile.info.process().pid()) + ".pb.gz"
                             : options.output;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(profile.bytes.data(), static_cast<std::streamsize>(profile.bytes.size()));
  file.close();
  if (!file) return complain(err, {kCliFailed, "cannot write " + escape_control(path)});
  if (options.json) {
    out << to_json(profile.info, JsonStyle::kPretty);
  } else {
    out << "wrote " << escape_control(path) << ": " << kind << " profile of pid "
        << profile.info.process().pid() << ", " << human_bytes(profile.bytes.size()) << "\n";
  }
  return flushed(out, err);
}

}  // namespace

CliExit run_cli(const CliOptions& options, std::ostream& out, std::ostream& err) {
  if (options.command == CliCommand::kDump) return run_dump(options, out, err);
  auto created = AgentClient::create(options);
  if (const auto* failure = std::get_if<CliFailure>(&created)) return complain(err, *failure);
  AgentClient& client = *std::get<0>(created);
  if (options.command == CliCommand::kPs) return run_ps(client, options, out, err);
  if (options.command == CliCommand::kTop) return run_top(client, options, out, err);
  const auto process = selected_process(client, options);
  if (const auto* failure = std::get_if<CliFailure>(&process)) return complain(err, *failure);
  const auto& selector = std::get<0>(process);
  switch (options.command) {
    case CliCommand::kProfile:
      return run_profile(client, options, selector, out, err);
    case CliCommand::kSpans:
      return run_spans(client, options, selector, out, err);
    case CliCommand::kClasses:
      return run_classes(client, options, selector, out, err);
    case CliCommand::kMap:
      return run_map(client, options, selector, out, err);
    case CliCommand::kEvents:
      return run_events(client, options, selector, out, err);
    default:
      return options.watch ? run_watch(client, options, selector, out, err)
                           : run_stats(client, options, selector, out, err);
  }
}

}  // namespace liballoc::agent
