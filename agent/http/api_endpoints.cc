// api_endpoints.cc - see api_endpoints.h. Must never answer with anything but JSON.
#include "agent/http/api_endpoints.h"

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/http/api_parameters.h"
#include "agent/http/process_lookup.h"
#include "agent/messages/event_messages.h"
#include "agent/messages/json.h"
#include "agent/messages/process_list.h"
#include "agent/messages/span_messages.h"
#include "liballoc/telemetry/v1/stats.pb.h"

namespace liballoc::agent {
namespace {

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kPermissionDenied:
      return 403;
    case ErrorCode::kUnavailable:
    case ErrorCode::kResourceExhausted:
      return 503;
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

HttpResponse json(int status, std::string body) {
  HttpResponse response{status, "application/json; charset=utf-8", {}, std::move(body)};
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse json(const google::protobuf::Message& message) {
  return json(200, to_json(message, JsonStyle::kPretty));
}

HttpResponse json(const Error& error) {
  google::protobuf::StringValue message;
  message.set_value(error.message);
  std::string quoted = to_json(message, JsonStyle::kOneLine);
  quoted.pop_back();  // its newline
  return json(http_status(error.code), "{\"error\": " + quoted + "}\n");
}

}  // namespace

ApiEndpoints::ApiEndpoints(const HttpOptions& options, const HttpContext& context)
    : options_(options), context_(context) {}

Result<ApiEndpoints::Target> ApiEndpoints::find(const Url& url, const std::string& process) const {
  const auto found = look_up_process(*context_.registry, url, process);
  if (!found) return failure(found.error());
  Target target{*found, false};
  if (target.snapshot->state != ProcessState::kRunning || !context_.refresh) return target;
  const std::string& key = (*found)->identity.key;
  target.stale = !context_.refresh(key, options_.refresh_timeout);
  if (auto newest = context_.registry->find_key(key)) target.snapshot = std::move(newest);
  target.stale = target.stale && target.snapshot->state == ProcessState::kRunning;
  return target;
}

HttpReply ApiEndpoints::processes(const Url& url) const {
  if (const Status known = only_known(url, {"state"}); !known) return json(known.error());
  const auto request = list_processes_request(url);
  if (!request) return json(request.error());
  if (context_.refresh) context_.refresh("", options_.refresh_timeout);
  pb::ListProcessesResponse response;
  SnapshotList list = processes_in(*context_.registry, request->states());
  if (const auto pid = url.parameter("pid")) {
    const auto found = look_up_process(*context_.registry, *pid);
    if (!found) return json(found.error());
    std::erase_if(list, [&](const auto& other) { return other != *found; });
  }
  fill_process_list(list, &response);
  return json(response);
}

HttpReply ApiEndpoints::memstats(const Url& url, const std::string& process) const {
  if (const Status known = only_known(url, {}); !known) return json(known.error());
  const Result<Target> target = find(url, process);
  if (!target) return json(target.error());
  const Snapshot& snapshot = *target->snapshot;
  pb::GetMemStatsResponse response;
  to_proto(snapshot, response.mutable_process());
  to_proto(snapshot.time_unix_ns, response.mutable_collect_time());
  to_proto(snapshot.memstats, response.mutable_memstats());
  to_proto(snapshot.health, response.mutable_health());
  response.set_stale(target->stale);
  return json(response);
}

HttpReply ApiEndpoints::spans(const Url& url, const std::string& process) const {
  const auto request = list_spans_request(url);
  if (!request) return json(request.error());
  const Result<Target> target = find(url, process);
  if (!target) return json(target.error());
  pb::ListSpansResponse response;
  const Status filled = fill_span_page(*target->snapshot, *request, &response);
  if (!filled) return json(filled.error());
  response.set_stale(target->stale);
  return json(response);
}

HttpReply ApiEndpoints::size_classes(const Url& url, const std::string& process) const {
  const auto request = size_classes_request(url);
  if (!request) return json(request.error());
  const Result<Target> target = find(url, process);
  if (!target) return json(target.error());
  pb::GetSizeClassesResponse response;
  fill_size_classes(*target->snapshot, request->used_only(), &response);
  response.set_stale(target->stale);
  return json(response);
}

HttpReply ApiEndpoints::address_map(const Url& url, const std::string& process) const {
  const auto request = address_map_request(url);
  if (!request) return json(request.error());
  const Result<Target> target = find(url, process);
  if (!target) return json(target.error());
  pb::GetAddressMapResponse response;
  const Status filled = fill_address_map(*target->snapshot, *request, &response);
  if (!filled) return json(filled.error());
  response.set_stale(target->stale);
  return json(response);
}

HttpReply ApiEndpoints::events(const Url& url, const std::string& process) const {
  const auto query = events_query(url);
  if (!query) return json(query.error());
  const Result<Target> target = find(url, process);
  if (!target) return json(target.error());
  const Snapshot& snapshot = *target->snapshot;
  const auto filter = event_filter(&snapshot, query->filter.kinds(), query->filter.object_bytes());
  if (!filter) return json(filter.error());
  const std::vector<Event> events =
      context_.registry->events().since(snapshot.identity.key, query->from_sequence, query->limit);
  pb::WatchEventsResponse response;
  uint64_t next = query->has_from ? query->from_sequence : snapshot.health.ring_read;
  if (!query->has_from && !events.empty()) next = events.front().sequence;
  uint64_t missing = 0;  // a reader without a place in the log cannot tell why
  for (const Event& event : events) {
    missing += event.sequence - std::min(next, event.sequence);
    next = event.sequence + 1;
    if (matches(*filter, snapshot, event)) to_proto(snapshot, event, response.add_events());
  }
  if (events.size() < query->limit && next < snapshot.health.ring_read) {
    missing += snapshot.health.ring_read - next;
    next = snapshot.health.ring_read;
  }
  to_proto(snapshot, response.mutable_process());
  to_proto(snapshot.time_unix_ns, response.mutable_collect_time());
  response.set_overrun(missing);
  response.set_next_sequence(next);
  return json(response);
}

}  // namespace liballoc::agent
