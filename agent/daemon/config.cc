// config.cc - see config.h. Must never ignore an option.
#include "agent/daemon/config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "agent/base/text.h"
#include "agent/daemon/listen_address.h"

namespace liballoc::agent {
namespace {

constexpr int64_t kMaxRetainSeconds = 30 * 24 * 3600;
constexpr std::streamsize kMaxPemBytes = 1 << 20;

// Options as text, before they are checked.
struct RawOptions {
  std::string shm_dir = "/dev/shm";
  std::vector<std::string> grpc_listen{"127.0.0.1:9891"};
  std::string http_listen = "127.0.0.1:9890";
  std::string retain_exited = "15m";
  std::string log_level = "info";
  std::string tls_cert, tls_key, tls_client_ca, token_file;
  bool enable_control = false;
  bool insecure_listen = false;
};

using Problem = std::optional<std::string>;  // names the flag, the value and what is allowed

void declare(CLI::App& app, RawOptions& raw) {
  app.set_version_flag("--version", "alloc-agent " LIBALLOC_VERSION)->configurable(false);
  app.set_config("--config", "",
                 "Read options from this file (TOML: shm-dir = \"/dev/shm\"); "
                 "the command line wins");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--shm-dir", raw.shm_dir, "Directory of the segments")->capture_default_str();
  app.add_option("--grpc-listen", raw.grpc_listen,
                 "Address of gRPC: host:port or unix:/path; port 0 = any free one. May be given "
                 "more than once")
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_option("--http-listen", raw.http_listen,
                 "Address of HTTP (metrics, pprof), as --grpc-listen")
      ->capture_default_str();
  app.add_option("--retain-exited", raw.retain_exited,
                 "How long an ended process stays visible, such as 90s, 15m, 2h")
      ->capture_default_str();
  app.add_option("--log-level", raw.log_level, "debug, info, warning, error or off")
      ->capture_default_str();
  app.add_option("--tls-cert", raw.tls_cert, "PEM file with the certificate chain of gRPC on TCP");
  app.add_option("--tls-key", raw.tls_key, "PEM file with its key");
  app.add_option("--tls-client-ca", raw.tls_client_ca,
                 "PEM file with a CA: gRPC clients on TCP must show a certificate that it signed");
  app.add_flag("--insecure-listen", raw.insecure_listen,
               "Allow TCP without TLS on addresses that other machines can reach");
  app.add_option("--token-file", raw.token_file, "Not supported by this version");
  app.add_flag("--enable-control", raw.enable_control, "Not supported by this version");
  app.footer(
      "Exit status: 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for a wrong option.");
}

Problem read_pem(const std::string& flag, const std::string& path, std::string* out) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMaxPemBytes + 1, '\0');
  if (!file || file.read(bytes.data(), kMaxPemBytes + 1).bad()) {
    return flag + ": cannot read \"" + escape_control(path) +
           "\": " + std::strerror(errno == 0 ? EIO : errno);
  }
  bytes.resize(static_cast<size_t>(file.gcount()));
  if (bytes.size() > kMaxPemBytes || bytes.find("-----BEGIN ") == std::string::npos) {
    return flag + ": \"" + escape_control(path) + "\" is no PEM file of at most 1 MiB";
  }
  *out = std::move(bytes);
  return std::nullopt;
}

Problem check_tls(const RawOptions& raw, AgentConfig* config) {
  if (raw.tls_cert.empty() != raw.tls_key.empty()) {
    const bool key_missing = raw.tls_key.empty();
    return std::string(key_missing ? "--tls-cert" : "--tls-key") + ": given without " +
           (key_missing ? "--tls-key" : "--tls-cert") + "; both or none are allowed";
  }
  if (raw.tls_cert.empty()) {
    if (raw.tls_client_ca.empty()) return std::nullopt;
    return "--tls-client-ca: given without --tls-cert and --tls-key; all three or the other two "
           "alone are allowed";
  }
  Problem problem = read_pem("--tls-cert", raw.tls_cert, &config->tls_certificate_pem);
  if (!problem) problem = read_pem("--tls-key", raw.tls_key, &config->tls_key_pem);
  if (!problem && !raw.tls_client_ca.empty()) {
    problem = read_pem("--tls-client-ca", raw.tls_client_ca, &config->tls_client_ca_pem);
  }
  return problem;
}

Problem check_address(const std::string& flag, const std::string& value, bool open_to_others) {
  const Result<ListenAddress> address = parse_listen_address(value);
  if (!address) return flag + ": " + address.error().message;
  if (address->is_local() || open_to_others) return std::nullopt;
  return flag + ": \"" + value + "\" can be reached from other machines without TLS; " +
         (flag == "--grpc-listen" ? "a loopback address, unix:/path, --tls-cert with --tls-key, "
                                  : "a loopback address, unix:/path ") +
         "or --insecure-listen is allowed";
}

Problem check(const RawOptions& raw, AgentConfig* config) {
  if (!raw.token_file.empty()) {
    return "--token-file: not supported by this version; use a unix socket or --tls-client-ca";
  }
  if (raw.enable_control) return "--enable-control: not supported by this version";
  if (raw.shm_dir.empty()) return "--shm-dir: \"\" is no directory; a path is allowed";
  config->shm_dir = raw.shm_dir;

  if (Problem problem = check_tls(raw, config)) return problem;
  const bool grpc_has_tls = !config->tls_certificate_pem.empty();
  if (raw.grpc_listen.empty()) return "--grpc-listen: no address; at least one is needed";
  for (const std::string& address : raw.grpc_listen) {
    Problem problem = check_address("--grpc-listen", address, grpc_has_tls || raw.insecure_listen);
    if (problem) return problem;
  }
  config->grpc_listen = raw.grpc_listen;
  if (Problem problem = check_address("--http-listen", raw.http_listen, raw.insecure_listen)) {
    return problem;
  }
  config->http_listen = raw.http_listen;

  const Result<std::chrono::seconds> retain = parse_seconds(raw.retain_exited);
  if (!retain) return "--retain-exited: " + retain.error().message;
  config->retain_exited = *retain;
  const std::optional<LogLevel> level = parse_log_level(raw.log_level);
  if (!level) {
    return "--log-level: \"" + escape_control(raw.log_level) +
           "\" is no level; debug, info, warning, error or off is allowed";
  }
  config->log_level = *level;
  return std::nullopt;
}

ConfigExit usage_error(const std::string& message) {
  return {kExitUsage, "alloc-agent: " + message + "\nalloc-agent --help lists all options.\n"};
}

}  // namespace

Result<std::chrono::seconds> parse_seconds(std::string_view text) {
  uint64_t number = 0;
  int64_t unit = 0;
  if (!text.empty()) {
    switch (text.back()) {
      case 's':
        unit = 1;
        break;
      case 'm':
        unit = 60;
        break;
      case 'h':
        unit = 3600;
        break;
      case 'd':
        unit = 24 * 3600;
        break;
    }
  }
  if (unit == 0 || !parse_decimal(text.substr(0, text.size() - 1), number) ||
      number > static_cast<uint64_t>(kMaxRetainSeconds / unit)) {
    return failure(ErrorCode::kInvalidArgument,
                   "\"" + escape_control(text) +
                       "\" is no duration; a whole number with s, m, h or d, such as 90s or 15m, "
                       "from 0s to 30d is allowed");
  }
  return std::chrono::seconds(static_cast<int64_t>(number) * unit);
}

std::variant<AgentConfig, ConfigExit> parse_config(const std::vector<std::string>& arguments) {
  CLI::App app(
      "alloc-agent: reads the telemetry of processes under liballoc and serves it over "
      "gRPC and HTTP",
      "alloc-agent");
  RawOptions raw;
  declare(app, raw);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    return ConfigExit{0, app.help() + "\n"};
  } catch (const CLI::CallForVersion& version) {
    return ConfigExit{0, std::string(version.what()) + "\n"};
  } catch (const CLI::ConfigError& error) {
    constexpr std::string_view kUnknown = "INI was not able to parse ";
    std::string message = error.what();
    if (message.starts_with(kUnknown)) {
      message = message.substr(kUnknown.size());
      constexpr std::string_view kSectionStart = ".++";  // how CLI11 calls the head of a section
      const bool section = message.ends_with(kSectionStart);
      if (section) message.resize(message.size() - kSectionStart.size());
      message +=
          section ? ": no such section; options stand outside of sections" : ": no such option";
    }
    return usage_error("--config: " + message);
  } catch (const CLI::FileError& error) {
    return usage_error(std::string("--config: ") + error.what());
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  AgentConfig config;
  if (Problem problem = check(raw, &config)) return usage_error(*problem);
  return config;
}

}  // namespace liballoc::agent
