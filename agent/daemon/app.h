// app.h - the life of alloc-agent: start in order, say so, wait for a signal, stop in reverse
// order.
#pragma once

#include "agent/daemon/config.h"

namespace liballoc::agent {

// Exit status: 0 after SIGTERM or SIGINT, 1 when something could not be started (said on stderr).
// Prints "alloc-agent ready grpc=... http=... shm-dir=..." on stdout once everything serves.
int run_agent(const AgentConfig& config);

}  // namespace liballoc::agent
