// command_parts.h - what the commands of allocctl have in common.
//
// Must never print a string of a process unescaped.
#pragma once

#include <ostream>

#include "agent/cli/client.h"
#include "agent/cli/options.h"

namespace liballoc::agent {

// Says what went wrong, and gives the exit status that says so too.
CliExit complain(std::ostream& err, const CliFailure& failure);

// Success, if everything could be written.
[[nodiscard]] CliExit flushed(std::ostream& out, std::ostream& err);

// The process that the options name, else the only one.
[[nodiscard]] CliResult<pb::ProcessSelector> selected_process(AgentClient& client,
                                                              const CliOptions& options);

}  // namespace liballoc::agent
