// view_commands.h - the commands that show the state of heaps: top, spans, classes, map, events.
//
// As run_cli(): results go to `out`, complaints to `err`. Must never hold a whole stream in memory.
#pragma once

#include <ostream>

#include "agent/cli/client.h"
#include "agent/cli/options.h"

namespace liballoc::agent {

CliExit run_top(AgentClient& client, const CliOptions& options, std::ostream& out,
                std::ostream& err);
CliExit run_spans(AgentClient& client, const CliOptions& options,
                  const pb::ProcessSelector& process, std::ostream& out, std::ostream& err);
CliExit run_classes(AgentClient& client, const CliOptions& options,
                    const pb::ProcessSelector& process, std::ostream& out, std::ostream& err);
CliExit run_map(AgentClient& client, const CliOptions& options, const pb::ProcessSelector& process,
                std::ostream& out, std::ostream& err);
CliExit run_events(AgentClient& client, const CliOptions& options,
                   const pb::ProcessSelector& process, std::ostream& out, std::ostream& err);

}  // namespace liballoc::agent
