// names.h - short names of enum values, as people type and read them: SPAN_STATE_PAGE_CACHED is
// "page-cached".
//
// Pure functions. Must never accept a name that means "not said".
#pragma once

#include <string>
#include <string_view>

#include "liballoc/telemetry/v1/events.pb.h"
#include "liballoc/telemetry/v1/process.pb.h"
#include "liballoc/telemetry/v1/spans.pb.h"

namespace liballoc::agent {

// "unknown" for a number that has no name, and for UNSPECIFIED.
[[nodiscard]] std::string short_name(::liballoc::telemetry::v1::SpanState state);
[[nodiscard]] std::string short_name(::liballoc::telemetry::v1::EventKind kind);
[[nodiscard]] std::string short_name(::liballoc::telemetry::v1::ProcessState state);
[[nodiscard]] std::string short_name(::liballoc::telemetry::v1::RunKind kind);

// False where `text` is none of them; `out` is then untouched.
bool parse_short_name(std::string_view text, ::liballoc::telemetry::v1::SpanState* out);
bool parse_short_name(std::string_view text, ::liballoc::telemetry::v1::EventKind* out);
bool parse_short_name(std::string_view text, ::liballoc::telemetry::v1::ProcessState* out);

// All of them: "free, partial, ... and page-cached".
[[nodiscard]] std::string span_state_names();
[[nodiscard]] std::string event_kind_names();
[[nodiscard]] std::string process_state_names();

}  // namespace liballoc::agent
