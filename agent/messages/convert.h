// convert.h - snapshots as messages of liballoc.telemetry.v1.
//
// All but unix_now_ns() are pure functions of their arguments. Must never do I/O, wait, or leave a
// field of the model out.
#pragma once

#include <cstdint>

#include "agent/base/time_units.h"
#include "agent/model/snapshot.h"
#include "google/protobuf/timestamp.pb.h"
#include "liballoc/telemetry/v1/memstats.pb.h"
#include "liballoc/telemetry/v1/process.pb.h"

namespace liballoc::agent {

namespace pb = ::liballoc::telemetry::v1;

[[nodiscard]] int64_t unix_now_ns();

void to_proto(int64_t unix_ns, google::protobuf::Timestamp* out);
[[nodiscard]] pb::ProcessState to_proto(ProcessState state);
void to_proto(const Snapshot& snapshot, pb::ProcessRef* out);
void to_proto(const Snapshot& snapshot, pb::Process* out);
void to_proto(const MemStats& stats, pb::MemStats* out);
void to_proto(const ReadHealth& health, pb::ReadHealth* out);

}  // namespace liballoc::agent
