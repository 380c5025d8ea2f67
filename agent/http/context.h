// context.h - everything the HTTP front end is given: where snapshots are, who names addresses, how
// to get fresh figures.
//
// The daemon fills it in; HTTP must never reach past it (no discovery, no segment reader, no gRPC).
// All members are called from several worker threads at once and must outlive the HttpServer.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/metrics/agent_stats.h"
#include "agent/model/registry.h"
#include "agent/model/symbol_source.h"

namespace liballoc::agent {

struct HttpContext {
  const Registry* registry = nullptr;  // required
  SymbolSource* symbols = nullptr;     // null: profiles carry addresses only

  // Collects the process named by `key` ("" = all of them) now, and returns true once the registry
  // has the result; false when `deadline` passed first or the process is gone. Blocks: called from
  // worker threads only. May be empty.
  std::function<bool(const std::string& key, std::chrono::milliseconds deadline)> refresh;

  std::function<AgentStats()>
      agent_stats;  // may be empty: then the agent's own figures are all zero
};

}  // namespace liballoc::agent
