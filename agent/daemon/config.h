// config.h - every option of alloc-agent: its name, default, meaning and check.
//
// Command line first, then the file of --config. Must never ignore an option: what this version
// cannot do is refused.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/result.h"

namespace liballoc::agent {

struct AgentConfig {
  std::string shm_dir = "/dev/shm";
  std::vector<std::string> grpc_listen{"127.0.0.1:9891"};  // checked addresses
  std::string http_listen = "127.0.0.1:9890";              // a checked address
  std::chrono::seconds retain_exited{15 * 60};
  LogLevel log_level = LogLevel::kInfo;
  std::string tls_certificate_pem, tls_key_pem, tls_client_ca_pem;  // contents; empty = no TLS
};

// The program is over before it began: --help and --version (status 0), or a wrong option (status
// 2).
struct ConfigExit {
  int status = 0;
  std::string text;  // for stdout when status is 0, else for stderr
};

inline constexpr int kExitUsage = 2;

// `arguments` without the program's name.
[[nodiscard]] std::variant<AgentConfig, ConfigExit> parse_config(
    const std::vector<std::string>& arguments);

// "90s", "15m", "2h", "7d": a whole number and one unit, at most 30 days. "0s" is fine.
[[nodiscard]] Result<std::chrono::seconds> parse_seconds(std::string_view text);

}  // namespace liballoc::agent
