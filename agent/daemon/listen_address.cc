// listen_address.cc - see listen_address.h. Must never resolve a name or open a socket.
#include "agent/daemon/listen_address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kAllowed =
    "host:port, [v6 address]:port or unix:/path, such as 127.0.0.1:9891, is allowed";

Failure<Error> refused(std::string_view text, std::string_view why) {
  return failure(ErrorCode::kInvalidArgument, "\"" + escape_control(text) + "\" " +
                                                  std::string(why) + "; " + std::string(kAllowed));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

}  // namespace

bool ListenAddress::is_local() const {
  if (is_unix || host == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  ListenAddress address;
  address.text = text;
  if (text.starts_with(kUnixPrefix)) {
    address.is_unix = true;
    address.path = text.substr(kUnixPrefix.size());
    if (!address.path.starts_with('/')) return refused(text, "has no absolute path");
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused(text, "has no port");
  uint64_t port = 0;
  if (!parse_decimal(text.substr(colon + 1), port) || port > UINT16_MAX) {
    return refused(text, "has no port from 0 to 65535");
  }
  address.port = static_cast<uint16_t>(port);
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    address.host = host.substr(1, host.size() - 2);
    in6_addr v6{};
    if (::inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) {
      return refused(text, "has no IPv6 address in its brackets");
    }
    return address;
  }
  if (host.empty()) {
    return refused(text, "has no host (0.0.0.0 or [::] means all interfaces)");
  }
  if (!std::all_of(host.begin(), host.end(), is_host_character)) {
    return refused(text, "has a host that is neither a name nor an address");
  }
  address.host = host;
  return address;
}

}  // namespace liballoc::agent
