// command_parts.cc - see command_parts.h. Must never print a string of a process unescaped.
#include "agent/cli/command_parts.h"

#include <vector>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

std::string listed(const std::vector<const pb::Process*>& processes) {
  std::string out;
  for (const pb::Process* process : processes) {
    out += "\n  " + std::to_string(process->ref().pid()) + "  " +
           escape_control(process->service()) + "  " + escape_control(process->ref().key());
  }
  return out;
}

// The only process that runs; where none runs, the only one that ran.
CliResult<pb::ProcessSelector> only_process(AgentClient& client) {
  CliResult<pb::ListProcessesResponse> reply = client.list_processes();
  if (auto* failure = std::get_if<CliFailure>(&reply)) return *failure;
  std::vector<const pb::Process*> running;
  std::vector<const pb::Process*> all;
  for (const pb::Process& process : std::get<0>(reply).processes()) {
    all.push_back(&process);
    if (process.ref().state() == pb::PROCESS_STATE_RUNNING) running.push_back(&process);
  }
  const std::vector<const pb::Process*>& choice = running.empty() ? all : running;
  if (choice.empty()) {
    return CliFailure{kCliNoProcess, "the agent sees no process under liballoc"};
  }
  if (choice.size() > 1) {
    return CliFailure{kCliNoProcess, "say which of these processes:" + listed(choice)};
  }
  pb::ProcessSelector selector;
  selector.set_key(choice.front()->ref().key());
  return selector;
}

}  // namespace

CliExit complain(std::ostream& err, const CliFailure& failure) {
  err << "allocctl: " << failure.message << "\n";
  return failure.status;
}

CliExit flushed(std::ostream& out, std::ostream& err) {
  out.flush();
  return out ? kCliOk : complain(err, {kCliFailed, "the output could not be written"});
}

CliResult<pb::ProcessSelector> selected_process(AgentClient& client, const CliOptions& options) {
  if (options.process.empty()) return only_process(client);
  pb::ProcessSelector selector;
  uint64_t pid = 0;
  if (parse_decimal(options.process, pid)) {
    selector.set_pid(static_cast<uint32_t>(pid));  // its range was checked with the options
  } else {
    selector.set_key(options.process);
  }
  return selector;
}

}  // namespace liballoc::agent
