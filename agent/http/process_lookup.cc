// process_lookup.cc - see process_lookup.h.
#include "agent/http/process_lookup.h"

#include <limits>
#include <optional>
#include <vector>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {


constexpr size_t kMaxListed = 50;  // candidates in an error message

bool is_running(const SnapshotPtr& process) { return process->state == ProcessState::kRunning; }

std::vector<SnapshotPtr> running(const Registry& registry) {
  std::vector<SnapshotPtr> out;
  for (SnapshotPtr& process : registry.list()) {
    if (is_running(process)) out.push_back(std::move(process));
  }
  return out;
}

std::string describe(const std::vector<SnapshotPtr>& processes, bool by_key) {
  if (processes.empty()) return "none";
  std::string out;
  for (size_t i = 0; i < processes.size(); ++i) {
    if (i > 0) out += ", ";
    if (i == kMaxListed) return out + "and " + std::to_string(processes.size() - i) + " more";
    const ProcessIdentity& id = processes[i]->identity;
    out += (by_key ? id.key : std::to_string(id.pid)) + " (" + escape_control(id.service) + ")";
  }
  return out;
}

Result<SnapshotPtr> only_running(const Registry& registry) {
  std::vector<SnapshotPtr> processes = running(registry);
  if (processes.size() == 1) return processes.front();
  return failure(ErrorCode::kInvalidArgument,
                 "which process? Give pid=; running: " + describe(processes, false));
}

Result<SnapshotPtr> by_pid(const Registry& registry, uint64_t pid, const std::string& name) {
  std::vector<SnapshotPtr> candidates;
  for (SnapshotPtr& process : running(registry)) {
    if (process->identity.pid == pid) candidates.push_back(std::move(process));
  }
  if (candidates.size() > 1) {
    return failure(ErrorCode::kInvalidArgument,
                   "pid " + name + " runs in several PID namespaces; give one of " +
                       describe(candidates, true));
  }
  if (candidates.size() == 1) return candidates.front();
  if (SnapshotPtr ended = registry.find_pid(static_cast<uint32_t>(pid))) return ended;
  return failure(ErrorCode::kNotFound, "no process with pid " + name + " is known; running: " +
                                           describe(running(registry), false));
}

// "PID@NAMESPACE", as the label pid says where several of a service have the same. Null when the
// name is none.
SnapshotPtr by_pid_in_namespace(const Registry& registry, const std::string& name) {
  const size_t at = name.find('@');
  uint64_t pid = 0;
  uint64_t space = 0;
  if (at == std::string::npos || !parse_decimal(name.substr(0, at), pid) ||
      !parse_decimal(name.substr(at + 1), space)) {
    return nullptr;
  }
  SnapshotPtr found;
  for (SnapshotPtr& process : registry.list()) {
    const ProcessIdentity& id = process->identity;
    if (id.pid != pid || id.pid_namespace != space) continue;
    if (is_running(process)) return process;
    found = std::move(process);
  }
  return found;
}

}  // namespace

Result<SnapshotPtr> look_up_process(const Registry& registry, const std::string& name) {
  if (name.empty()) return only_running(registry);
  uint64_t pid = 0;
  if (parse_decimal(name, pid) && pid <= std::numeric_limits<uint32_t>::max()) {
    return by_pid(registry, pid, name);
  }
  if (SnapshotPtr process = registry.find_key(name)) return process;
  if (SnapshotPtr process = by_pid_in_namespace(registry, name)) return process;
  const std::string shown = "\"" + escape_control(name) + "\"";
  if (name.starts_with(LIBALLOC_ABI_FILE_PREFIX)) {
    return failure(ErrorCode::kNotFound, "no process with segment " + shown + " is known");
  }
  return failure(ErrorCode::kInvalidArgument,
                 "invalid pid " + shown +
                     ": it must be a decimal number, one with its PID namespace such as "
                     "12@4026531836, or a segment name such as liballoc.12.3456");
}

Result<SnapshotPtr> look_up_process(const Registry& registry, const Url& url,
                                    const std::string& from_path) {
  const std::optional<std::string> from_query = url.parameter("pid");
  if (from_path.empty()) return look_up_process(registry, from_query.value_or(""));
  if (from_query && *from_query != from_path) {
    return failure(ErrorCode::kInvalidArgument,
                   "the path says process \"" + escape_control(from_path) +
                       "\", the parameter pid says \"" + escape_control(*from_query) + "\"");
  }
  return look_up_process(registry, from_path);
}

}  // namespace liballoc::agent
