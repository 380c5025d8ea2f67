// api_parameters.h - the parameters of /api/v1/... as the requests that gRPC clients send.
//
// Pure functions. Lists are given as a,b,c or by repeating the parameter. Every error names the
// parameter, the value and what is allowed; a parameter that the endpoint does not know is one too.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "agent/base/result.h"
#include "agent/http/url.h"
#include "liballoc/telemetry/v1/events.pb.h"
#include "liballoc/telemetry/v1/spans.pb.h"
#include "liballoc/telemetry/v1/targets.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

// Refuses parameters that are not among `known`; "pid" always is.
Status only_known(const Url& url, std::initializer_list<std::string_view> known);

Result<pb::ListProcessesRequest> list_processes_request(const Url& url);
Result<pb::ListSpansRequest> list_spans_request(const Url& url);
Result<pb::GetSizeClassesRequest> size_classes_request(const Url& url);
Result<pb::GetAddressMapRequest> address_map_request(const Url& url);

struct EventsQuery {
  pb::WatchEventsRequest filter;
  uint64_t from_sequence = 0;
  bool has_from = false;  // false: from the oldest there is
  uint32_t limit = 1000;
};
Result<EventsQuery> events_query(const Url& url);

}  // namespace liballoc::agent
