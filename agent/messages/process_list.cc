// process_list.cc - see process_list.h. Must never wait.
#include "agent/messages/process_list.h"

#include <algorithm>
#include <tuple>

namespace liballoc::agent {

Status check_states(const StateFilter& states) {
  for (const int state : states) {
    if (!pb::ProcessState_IsValid(state) || state == pb::PROCESS_STATE_UNSPECIFIED) {
      return failure(ErrorCode::kInvalidArgument,
                     "states: " + std::to_string(state) +
                         " is no state; PROCESS_STATE_RUNNING, PROCESS_STATE_EXITED, "
                         "PROCESS_STATE_KILLED and PROCESS_STATE_FAULTED are allowed");
    }
  }
  return {};
}

SnapshotList processes_in(const Registry& registry, const StateFilter& states) {
  SnapshotList list = registry.list();
  if (!states.empty()) {
    std::erase_if(list, [&](const std::shared_ptr<const Snapshot>& snapshot) {
      return std::find(states.begin(), states.end(), to_proto(snapshot->state)) == states.end();
    });
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
    return std::tie(a->identity.start_time_unix_ns, a->identity.key) <
           std::tie(b->identity.start_time_unix_ns, b->identity.key);
  });
  return list;
}

std::string membership(const SnapshotList& list) {
  std::string out;
  for (const auto& snapshot : list) {
    out += snapshot->identity.key;
    out += '\0';  // no file name holds one
    out += static_cast<char>('0' + to_proto(snapshot->state));
  }
  return out;
}

}  // namespace liballoc::agent
