// view_commands.cc - see view_commands.h. Must never hold a whole stream in memory.
#include "agent/cli/view_commands.h"

#include <unistd.h>

#include <iostream>
#include <thread>
#include <variant>

#include "agent/cli/command_parts.h"
#include "agent/cli/render.h"
#include "agent/cli/view_render.h"
#include "agent/messages/json.h"
#include "agent/messages/names.h"

namespace liballoc::agent {
namespace {

pb::SpanFilter filter_of(const CliOptions& options) {
  pb::SpanFilter filter;
  for (const std::string& name : options.states) {
    pb::SpanState state{};
    parse_short_name(name, &state);  // checked with the options
    filter.add_states(state);
  }
  for (const uint32_t bytes : options.sizes) filter.add_object_bytes(bytes);
  if (options.min_occupancy > 0) filter.set_min_occupancy(options.min_occupancy / 100);
  if (options.max_occupancy < 100) filter.set_max_occupancy(options.max_occupancy / 100);
  if (options.min_age_seconds != 0) {
    filter.mutable_min_age()->set_seconds(static_cast<int64_t>(options.min_age_seconds));
  }
  return filter;
}

}  // namespace

CliExit run_top(AgentClient& client, const CliOptions& options, std::ostream& out,
                std::ostream& err) {
  const bool terminal = &out == &std::cout && ::isatty(STDOUT_FILENO) == 1;
  for (uint64_t readings = 1;; ++readings) {
    const auto reply = client.list_processes();
    if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
    const auto& list = std::get<0>(reply);
    if (options.json) {
      out << to_json(list, JsonStyle::kOneLine);
    } else {
      if (terminal) out << "\x1b[H\x1b[J";  // from the top of an empty screen
      out << render_top(list, options.limit);
    }
    out.flush();
    if (!out || readings == options.count) return flushed(out, err);
    std::this_thread::sleep_for(options.interval);
  }
}

CliExit run_spans(AgentClient& client, const CliOptions& options,
                  const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  pb::StreamSpansRequest request;
  *request.mutable_process() = process;
  *request.mutable_filter() = filter_of(options);
  uint64_t shown = 0;
  int64_t read_at = 0;
  const auto result = client.stream_spans(request, [&](const pb::StreamSpansResponse& message) {
    pb::StreamSpansResponse piece = message;
    if (options.limit != 0) {
      const uint64_t left = options.limit - shown;
      while (static_cast<uint64_t>(piece.spans_size()) > left) piece.mutable_spans()->RemoveLast();
    }
    shown += static_cast<uint64_t>(piece.spans_size());
    if (piece.has_collect_time()) read_at = piece.collect_time().seconds();
    out << (options.json ? to_json(piece, JsonStyle::kOneLine) : render_spans(piece, read_at));
    return out.good() && (options.limit == 0 || shown < options.limit);
  });
  if (const auto* failure = std::get_if<CliFailure>(&result)) return complain(err, *failure);
  return flushed(out, err);
}

CliExit run_classes(AgentClient& client, const CliOptions& options,
                    const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  pb::GetSizeClassesRequest request;
  *request.mutable_process() = process;
  request.set_used_only(!options.all);
  const auto reply = client.size_classes(request);
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const auto& classes = std::get<0>(reply);
  out << (options.json ? to_json(classes, JsonStyle::kPretty) : render_size_classes(classes));
  return flushed(out, err);
}

CliExit run_map(AgentClient& client, const CliOptions& options, const pb::ProcessSelector& process,
                std::ostream& out, std::ostream& err) {
  pb::GetAddressMapRequest request;
  *request.mutable_process() = process;
  request.set_include_runs(options.runs);
  request.set_address(options.address);
  const auto reply = client.address_map(request);
  if (const auto* failure = std::get_if<CliFailure>(&reply)) return complain(err, *failure);
  const auto& map = std::get<0>(reply);
  out << (options.json ? to_json(map, JsonStyle::kPretty) : render_map(map));
  return flushed(out, err);
}

CliExit run_events(AgentClient& client, const CliOptions& options,
                   const pb::ProcessSelector& process, std::ostream& out, std::ostream& err) {
  pb::WatchEventsRequest request;
  *request.mutable_process() = process;
  request.set_start(options.from_oldest ? pb::EVENT_START_OLDEST : pb::EVENT_START_NOW);
  for (const std::string& name : options.kinds) {
    pb::EventKind kind{};
    parse_short_name(name, &kind);  // checked with the options
    request.add_kinds(kind);
  }
  for (const uint32_t bytes : options.sizes) request.add_object_bytes(bytes);
  const int64_t ms = options.interval.count();
  request.mutable_interval()->set_seconds(ms / 1000);
  request.mutable_interval()->set_nanos(static_cast<int32_t>(ms % 1000) * 1000000);
  uint64_t shown = 0;
  pb::ProcessState state = pb::PROCESS_STATE_RUNNING;
  const auto result = client.watch_events(request, [&](const pb::WatchEventsResponse& message) {
    pb::WatchEventsResponse piece = message;
    if (options.count != 0) {
      const uint64_t left = options.count - shown;
      while (static_cast<uint64_t>(piece.events_size()) > left) {
        piece.mutable_events()->RemoveLast();
      }
    }
    shown += static_cast<uint64_t>(piece.events_size());
    state = piece.process().state();
    out << (options.json ? to_json(piece, JsonStyle::kOneLine) : render_events(piece));
    out.flush();  // who follows wants to see them now
    return out.good() && (options.count == 0 || shown < options.count);
  });
  if (const auto* failure = std::get_if<CliFailure>(&result)) return complain(err, *failure);
  const bool to_the_end = std::get<bool>(result);
  if (to_the_end && !options.json) out << "the process has ended: " << state_name(state) << "\n";
  return flushed(out, err);
}

}  // namespace liballoc::agent
