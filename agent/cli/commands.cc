// commands.cc - see commands.h. Must never print a string of a process unescaped.
#include "agent/cli/commands.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "agent/base/text.h"
#include "agent/cli/client.h"
#include "agent/cli/format.h"
#include "agent/cli/render.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kReadingsPerHeader = 20;

CliExit complain(std::ostream& err, const CliFailure& failure) {
  err << "allocctl: " << failure.message << "\n";
  return failure.status;
}

// The same messages that gRPC carries, every field present; 64-bit numbers are strings, as protobuf
// has it.
std::string to_json(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = !one_line;
  options.always_print_primitive_fields = true;
  std::string out;
  const auto status = google::protobuf::util::MessageToJsonString(message, &out, options);
  if (!status.ok()) return std::string();
  if (one_line) out += "\n";
  return out;
}

CliExit flushed(std::ostream& out, std::ostream& err) {
  out.flush();
  return out ? kCliOk : complain(err, {kCliFailed, "the output could not be written"});
}

std::string listed(const std::vector<const pb::Process*>& processes) {
  std::string out;
  for (const pb::Process* process : processes) {
    out += "\n  " + std::to_string(process->ref().pid()) + "  " +
           escape_control(process->service()) + "  " + escape_control(process->ref().key());
  }
  return out;
}

// The only process that runs; where none runs, the only one that ran.
CliResult<pb::ProcessSelector> only_process(AgentClient& client) {
  CliResult<pb::ListProcessesResponse> reply = client.list_processes();
  if (auto* failure = std::get_if<CliFailure>(&reply)) return *failure;
  std::vector<const pb::Process*> running;
  std::vector<const pb::Process*> all;
  for (const pb::Process& process : std::get<0>(reply).processes()) {
    all.push_back(&process);
    if (process.ref().state() == pb::PROCESS_STATE_RUNNING) running.push_back(&process);
  }
  const std::vector<const pb::Process*>& choice = running.empty() ? all : running;
  if (choice.empty()) {
    return CliFailure{kCliNoProcess, "the agent sees no process under liballoc"};
  }
  if (choice.size() > 1) {
    return CliFailure{kCliNoProcess, "say which of these processes:" + listed(choice)};
  }
  pb::ProcessSelector selector;
  selector.set_key(choice.front()->ref().key());
  return selector;
}

CliResult<pb::ProcessSelector> selected_process(AgentClient& client, const CliOptions& options) {
  if (options.process.empty()) return only_process(client);
  pb::ProcessSelector selector;
  uint64_t pid = 0;
  if (parse_decimal(options.process, pid)) {
    selector.set_pid(static_cast<uint32_t>(pid));  // its range was checked with the options
  } else {
    selector.set_key(options.process);
  }
  return selector;
}

CliExit run_ps(AgentClient& client, const CliOptions& options, std::ostream& out,
               std::ostream& err) {
  const auto reply = client.list_processes();
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const auto& list = std::get<0>(reply);
  out << (options.json ? to_json(list, false) : render_processes(list));
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
    out << to_json(stats, false);
  } else {
    out << render_memstats(stats);
    if (options.classes) out << "\n" << render_classes(stats.memstats());
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
      out << to_json(now, true);
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
    out << to_json(profile.info, false);
  } else {
    out << "wrote " << escape_control(path) << ": " << kind << " profile of pid "
        << profile.info.process().pid() << ", " << human_bytes(profile.bytes.size()) << "\n";
  }
  return flushed(out, err);
}

}  // namespace

CliExit run_cli(const CliOptions& options, std::ostream& out, std::ostream& err) {
  auto created = AgentClient::create(options);
  if (const auto* failure = std::get_if<CliFailure>(&created)) return complain(err, *failure);
  AgentClient& client = *std::get<0>(created);
  if (options.command == CliCommand::kPs) return run_ps(client, options, out, err);
  const auto process = selected_process(client, options);
  if (const auto* failure = std::get_if<CliFailure>(&process)) return complain(err, *failure);
  const auto& selector = std::get<0>(process);
  if (options.command == CliCommand::kProfile) {
    return run_profile(client, options, selector, out, err);
  }
  return options.watch ? run_watch(client, options, selector, out, err)
                       : run_stats(client, options, selector, out, err);
}

}  // namespace liballoc::agent
