// render.h - the agent's messages as text for people.
//
// Pure functions of their arguments. Must never print a string of a process unescaped.
#pragma once

#include <string>

#include "liballoc/telemetry/v1/stats.pb.h"
#include "liballoc/telemetry/v1/targets.pb.h"

namespace liballoc::agent {

[[nodiscard]] std::string state_name(::liballoc::telemetry::v1::ProcessState state);  // "running"
[[nodiscard]] std::string render_processes(
    const ::liballoc::telemetry::v1::ListProcessesResponse& list);
[[nodiscard]] std::string render_faults(
    const ::liballoc::telemetry::v1::ListFaultsResponse& reply);
[[nodiscard]] std::string render_memstats(
    const ::liballoc::telemetry::v1::GetMemStatsResponse& reply);
[[nodiscard]] std::string render_classes(const ::liballoc::telemetry::v1::MemStats& stats);

// One line per reading; `before` is the reading before it, null for the first one.
[[nodiscard]] std::string watch_header();
[[nodiscard]] std::string render_reading(
    const ::liballoc::telemetry::v1::WatchMemStatsResponse& now,
    const ::liballoc::telemetry::v1::WatchMemStatsResponse* before);

}  // namespace liballoc::agent
