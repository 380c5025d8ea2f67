// agent_stats.h - what the agent knows about itself: plain values that the daemon fills in for each
// scrape.
//
// A value type only. Must never hold a lock, a pointer into another component, or anything that
// does I/O.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace liballoc::agent {

struct GrpcHandledCount {
  std::string method;  // "/package.Service/Method", or "other"
  std::string code;    // "OK" and so on
  uint64_t count = 0;
};

struct AgentStats {
  std::string version;   // of the agent, e.g. "0.1.0"
  std::string revision;  // of the source it was built from, or "unknown"
  std::map<std::string, uint64_t> segments_rejected;  // reason -> segments refused, cumulative
  uint64_t collections = 0;       // completed passes over all segments, cumulative
  double collect_seconds = 0;     // time spent in them, cumulative
  uint64_t processes_live = 0;    // running now
  uint64_t processes_exited = 0;  // ended and still retained
  std::vector<GrpcHandledCount> grpc_handled;
  uint64_t ring_missed =
      0;  // events overwritten before they were read, all processes ever seen, cumulative
};

}  // namespace liballoc::agent
