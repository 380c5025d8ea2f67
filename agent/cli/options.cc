// options.cc - see options.h. Must never talk to an agent.
#include "agent/cli/options.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "agent/base/text.h"
#include "agent/cli/view_options.h"

namespace liballoc::agent {
namespace {

constexpr const char* kNotYet[] = {"release", "sampling", "limit"};
constexpr double kMinInterval = 0.1;
constexpr double kMaxInterval = 3600;
constexpr uint32_t kMaxSeconds = 3600;

constexpr const char* kExitCodes =
    "Exit status:\n"
    "  0  done\n"
    "  1  the agent refused, or the output could not be written\n"
    "  2  wrong command line\n"
    "  3  the command is not supported yet\n"
    "  4  no agent answers\n"
    "  5  no such process, or PID left out where there is not exactly one\n"
    "PID is a process id or a key from `allocctl ps --json`, and may be left out where there is\n"
    "exactly one process.";

struct RawOptions {
  CliOptions options;
  RawViewOptions views;
  double interval = 1;
  std::string kind = "heap";
  bool no_symbols = false;
};

void declare_stats(CLI::App& app, RawOptions& raw) {
  CLI::App* stats = app.add_subcommand("stats", "Figures of one process");
  stats->add_option("PID", raw.options.process, "Which process");
  CLI::Option* watch = stats->add_flag("--watch,-w", raw.options.watch, "Again and again");
  stats->add_option("--interval", raw.interval, "Seconds between two readings of --watch")
      ->needs(watch)
      ->check(CLI::Range(kMinInterval, kMaxInterval))
      ->capture_default_str();
  stats->add_option("--count", raw.options.count, "End --watch after so many readings")
      ->needs(watch)
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 32));
  stats->add_flag("--classes", raw.options.classes, "Size classes too")->excludes(watch);
}

void declare_profile(CLI::App& app, RawOptions& raw) {
  CLI::App* profile = app.add_subcommand("profile", "Sampled profile of one process, for pprof");
  profile->add_option("PID", raw.options.process, "Which process");
  profile->add_option("--output,-o", raw.options.output,
                      "File to write, - for stdout (default: KIND.PID.pb.gz)");
  profile->add_option("--kind", raw.kind, "heap (in use) or allocs (since the start)")
      ->check(CLI::IsMember({"heap", "allocs"}))
      ->capture_default_str();
  profile->add_option("--seconds", raw.options.seconds, "What changes in so many seconds")
      ->check(CLI::Range(uint32_t{1}, kMaxSeconds));
  profile->add_flag("--no-symbols", raw.no_symbols, "Addresses and build ids only");
}

void declare(CLI::App& app, RawOptions& raw) {
  app.set_version_flag("--version", "allocctl " LIBALLOC_VERSION);
  app.fallthrough();
  app.require_subcommand(0, 1);  // none is refused below, an unknown one by its name
  app.footer(kExitCodes);
  raw.options.agent = "127.0.0.1:9891";
  app.add_option("--agent", raw.options.agent, "Address of the agent: host:port or unix:/path")
      ->envname("LIBALLOC_AGENT")
      ->capture_default_str();
  app.add_flag("--json", raw.options.json, "Print the agent's messages as JSON");
  CLI::Option* ca =
      app.add_option("--tls-ca", raw.options.tls_ca, "Use TLS; PEM file with the agent's CA");
  CLI::Option* cert =
      app.add_option("--tls-cert", raw.options.tls_cert, "PEM file with a client certificate");
  CLI::Option* key = app.add_option("--tls-key", raw.options.tls_key, "PEM file with its key");
  cert->needs(ca)->needs(key);
  key->needs(ca)->needs(cert);
  app.add_subcommand("ps", "Processes that the agent sees");
  declare_stats(app, raw);
  declare_profile(app, raw);
  declare_views(app, raw.views, raw.options);
  for (const char* name : kNotYet) {
    app.add_subcommand(name, "Not supported yet")->fallthrough(false)->allow_extras();
  }
}

std::optional<std::string> check(const CLI::App& app, RawOptions& raw) {
  CliOptions& options = raw.options;
  const std::string& agent = options.agent;
  const size_t colon = agent.rfind(':');
  uint64_t port = 0;
  const bool is_unix = agent.starts_with("unix:/");
  const bool is_tcp = colon != std::string::npos && colon > 0 && !agent.starts_with("unix:") &&
                      agent.find('/') == std::string::npos &&
                      parse_decimal(agent.substr(colon + 1), port) && port > 0 && port <= 65535;
  if (!is_unix && !is_tcp) {
    return "--agent: \"" + escape_control(agent) +
           "\" is no address; host:port or unix:/path is allowed";
  }
  if (!options.process.empty() && !options.process.starts_with("liballoc.")) {
    uint64_t pid = 0;
    if (!parse_decimal(options.process, pid) || pid == 0 || pid > UINT32_MAX) {
      return "PID: \"" + escape_control(options.process) +
             "\" is no process; a pid from 1 or a key such as liballoc.1234.5678 is allowed";
    }
  }
  options.interval = std::chrono::milliseconds(static_cast<int64_t>(raw.interval * 1000 + 0.5));
  options.allocs = raw.kind == "allocs";
  options.symbols = !raw.no_symbols;
  if (app.got_subcommand("stats")) options.command = CliCommand::kStats;
  if (app.got_subcommand("profile")) options.command = CliCommand::kProfile;
  return check_views(app, raw.views, options);
}

CliOver usage_error(const std::string& message) {
  return {kCliUsage, "allocctl: " + message + "\nallocctl --help lists all commands.\n"};
}

}  // namespace

std::variant<CliOptions, CliOver> parse_cli(const std::vector<std::string>& arguments) {
  CLI::App app("allocctl: asks alloc-agent about processes under liballoc", "allocctl");
  RawOptions raw;
  declare(app, raw);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return CliOver{kCliOk, app.help() + "\n"};
  } catch (const CLI::CallForVersion& version) {
    return CliOver{kCliOk, std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  for (const char* name : kNotYet) {
    if (app.got_subcommand(name)) {
      return CliOver{kCliNotSupported, "allocctl: " + std::string(name) + ": not supported yet\n"};
    }
  }
  if (app.get_subcommands().empty()) {
    return usage_error("no command; ps, top, stats, profile, spans, classes, map, events or dump is allowed");
  }
  if (const auto wrong = check(app, raw)) return usage_error(*wrong);
  return raw.options;
}

}  // namespace liballoc::agent
