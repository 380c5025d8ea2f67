// memstats_reply.h - fills the replies that carry the figures of one process.
//
// Pure functions of their arguments. Must never wait.
#pragma once

#include <google/protobuf/field_mask.pb.h>

#include "agent/messages/convert.h"
#include "agent/service/process_finder.h"
#include "agent/service/request_checks.h"

namespace liballoc::agent {

// For GetMemStatsResponse and WatchMemStatsResponse.
template <typename Response>
void fill_memstats(const FoundProcess& target, const google::protobuf::FieldMask& mask,
                   Response* response) {
  response->Clear();
  to_proto(*target.snapshot, response->mutable_process());
  to_proto(target.snapshot->time_unix_ns, response->mutable_collect_time());
  to_proto(target.snapshot->memstats, response->mutable_memstats());
  apply_mask(mask, response->mutable_memstats());
  to_proto(target.snapshot->health, response->mutable_health());
  response->set_stale(target.stale);
}

}  // namespace liballoc::agent
