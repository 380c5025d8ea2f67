// view_render.h - heaps as text for people: processes by size, spans, size classes, arenas, events.
//
// Pure functions of their arguments. Must never print a string of a process unescaped.
#pragma once

#include <cstdint>
#include <string>

#include "liballoc/telemetry/v1/events.pb.h"
#include "liballoc/telemetry/v1/spans.pb.h"
#include "liballoc/telemetry/v1/targets.pb.h"

namespace liballoc::agent {

// The running processes with the largest heaps first; `limit` 0 = all.
[[nodiscard]] std::string render_top(const ::liballoc::telemetry::v1::ListProcessesResponse& list,
                                     uint64_t limit);
// With a header where it is the first message of a stream; `read_at` is when that was read.
[[nodiscard]] std::string render_spans(const ::liballoc::telemetry::v1::StreamSpansResponse& spans,
                                       int64_t read_at);
[[nodiscard]] std::string render_size_classes(
    const ::liballoc::telemetry::v1::GetSizeClassesResponse& classes);
[[nodiscard]] std::string render_map(const ::liballoc::telemetry::v1::GetAddressMapResponse& map);
// A line per event, and one for what is missing before them.
[[nodiscard]] std::string render_events(
    const ::liballoc::telemetry::v1::WatchEventsResponse& events);

}  // namespace liballoc::agent
