// listen_address.h - the addresses that flags name: TCP or unix socket, loopback or not.
//
// Pure functions: must never resolve a name or open a socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace liballoc::agent {

struct ListenAddress {
  std::string text;  // as given
  bool is_unix = false;
  std::string host;   // without brackets; empty for a unix socket
  uint16_t port = 0;  // 0 = any free one
  std::string path;   // of a unix socket

  // Only this machine can connect. Of names only "localhost" counts: others can come to mean
  // anything.
  [[nodiscard]] bool is_local() const;
};

// "host:port", "[v6]:port" or "unix:/absolute/path". The error says what of `text` is wrong and
// what is allowed.
[[nodiscard]] Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace liballoc::agent
