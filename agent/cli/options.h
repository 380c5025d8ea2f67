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

enum class CliCommand { kPs, kStats, kProfile, kSpans, kClasses, kMap, kEvents, kTop, kDump };

struct CliOptions {
  CliCommand command = CliCommand::kPs;
  std::string agent;  // "host:port" or "unix:/path"
  bool json = false;
  std::string tls_ca, tls_cert, tls_key;  // files; tls_ca empty = no TLS

  std::string process;  // a pid or a key; empty = the only process
  bool watch = false;
  std::chrono::milliseconds interval{1000};  // of --watch, top and events
  uint64_t count = 0;  // readings of --watch and top, or events; 0 = no end
  bool classes = false;                      // with the table of size classes
  bool allocs = false;                       // the kind of profile: allocs, else heap
  uint32_t seconds = 0;                      // of a profile over a time, 0 = as it is now
  bool symbols = true;
  std::vector<std::string> states, kinds;  // short names of enum values, checked; empty = all
  std::vector<uint32_t> sizes;             // slot sizes, 0 = large objects; empty = all
  double min_occupancy = 0, max_occupancy = 100;  // percent
  uint64_t min_age_seconds = 0;
  uint64_t limit = 0;       // lines of spans or top, 0 = all
  bool all = false;         // classes: also those never used
  bool runs = false;        // map: the runs of each arena
  uint64_t address = 0;     // map: only the arena with it, 0 = all
  bool from_oldest = false;  // events
  std::string file;                   // of dump
  std::vector<std::string> sections;  // of dump, checked; empty = all

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
