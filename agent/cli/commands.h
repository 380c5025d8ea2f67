// commands.h - what each command of allocctl does.
//
// Results go to `out`, complaints to `err`; nothing else is printed. Returns the exit status.
#pragma once

#include <ostream>

#include "agent/cli/options.h"

namespace liballoc::agent {

[[nodiscard]] CliExit run_cli(const CliOptions& options, std::ostream& out, std::ostream& err);

}  // namespace liballoc::agent
