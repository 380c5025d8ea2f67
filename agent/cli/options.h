// options.h - the command line of allocctl, checked.
//
// Must never talk to an agent. Exit codes are part of the interface: scripts rely on them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace liballoc::agent {

enum CliExit : int {
  kCliOk = 0,
  kCliFailed = 1,        // the agent refused, or a file could not be written
  kCliUsage = 2,         // wrong command line
  kCliNotSupported = 3,  // a command that this version does not have yet
  kCliUnreachable = 4,   // no agent answers
  kCliNoProcess = 5,     // no such process, or PID left out where there is not exactly one
};

enum class CliCommand { kPs, kStats, kProfile };

struct CliOptions {
  CliCommand command = CliCommand::kPs;
  std::string agent;  // "host:port" or "unix:/path"
  bool json = false;
  std::string tls_ca, tls_cert, tls_key;  // files; tls_ca empty = no TLS

  std::string process;  // a pid or a key; empty = the only process
  bool watch = false;
  std::chrono::milliseconds interval{1000};  // of --watch
  uint64_t count = 0;                        // readings of --watch, 0 = no end
  bool classes = false;                      // with the table of size classes
  bool allocs = false;                       // the kind of profile: allocs, else heap
  uint32_t seconds = 0;                      // of a profile over a time, 0 = as it is now
  bool symbols = true;
  std::string output;  // file, "-" = stdout, empty = a name made of kind and pid
};

struct CliOver {
  CliExit status = kCliOk;
  std::string text;  // for stdout when status is kCliOk, else for stderr
};

// `arguments` without the program's name. Reads LIBALLOC_AGENT where --agent is not given.
[[nodiscard]] std::variant<CliOptions, CliOver> parse_cli(
    const std::vector<std::string>& arguments);

}  // namespace liballoc::agent
