// view_options.h - the options of the commands that show the state of a heap: spans, classes, map,
// events, top and dump.
//
// Declares and checks; must never talk to an agent or open a file.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/options.h"

namespace liballoc::agent {

// What CLI11 fills in before it is checked.
struct RawViewOptions {
  std::vector<std::string> sizes;
  std::string address;
  double interval = 0;  // 0 = not given
};

// `raw` and `options` must live until the command line has been parsed.
void declare_views(CLI::App& app, RawViewOptions& raw, CliOptions& options);

// Completes `options`; what is wrong, for a usage error.
[[nodiscard]] std::optional<std::string> check_views(const CLI::App& app, const RawViewOptions& raw,
                                                     CliOptions& options);

}  // namespace liballoc::agent
