// span_messages.h - what the requests of the Spans service mean, and their replies.
//
// Pure functions of a snapshot and a request. Errors name the field, the value and what is allowed.
// Must never wait; must never fill in `stale`, which only the caller knows.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/base/result.h"
#include "agent/model/snapshot.h"
#include "agent/model/span_query.h"
#include "liballoc/telemetry/v1/spans.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

inline constexpr uint32_t kDefaultPageSize = 1000;
inline constexpr uint32_t kMaxPageSize = 10000;
inline constexpr size_t kMaxRunsInMessage = 250000;  // of about 10 bytes: 4 MiB is a client's limit

void to_proto(const Snapshot& snapshot, const Span& span, pb::Span* out);

// kInvalidArgument where a field cannot be. Sizes must be of a class of this process.
Result<SpanFilter> span_filter(const Snapshot& snapshot, const pb::SpanFilter& filter);

// Those that match, in the order of their addresses; they live as long as the snapshot.
std::vector<const Span*> matching_spans(const Snapshot& snapshot, const SpanFilter& filter);

// The page that the request asks for.
Status fill_span_page(const Snapshot& snapshot, const pb::ListSpansRequest& request,
                      pb::ListSpansResponse* response);

void fill_size_classes(const Snapshot& snapshot, bool used_only,
                       pb::GetSizeClassesResponse* response);

// kNotFound where no arena has the address; kResourceExhausted where there are more runs than
// `max_runs`.
Status fill_address_map(const Snapshot& snapshot, const pb::GetAddressMapRequest& request,
                        pb::GetAddressMapResponse* response, size_t max_runs = kMaxRunsInMessage);

}  // namespace liballoc::agent
