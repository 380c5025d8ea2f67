// faults_reply.h - fills the reply that lists what the allocator found broken in a process.
//
// Reads the files that symbols are in, so it may take seconds. Must never run on a gRPC thread.
#pragma once

#include "agent/model/snapshot.h"
#include "agent/model/symbol_source.h"
#include "agent/messages/convert.h"
#include "liballoc/telemetry/v1/stats.pb.h"

namespace liballoc::agent {

// `symbols` may be null: frames carry addresses and modules only.
void fill_faults(const Snapshot& snapshot, SymbolSource* symbols, pb::ListFaultsResponse* response);

}  // namespace liballoc::agent
