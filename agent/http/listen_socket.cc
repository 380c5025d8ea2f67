// listen_socket.cc - see listen_socket.h.
#include "agent/http/listen_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr uint64_t kMaxPort = 65535;

Failure<Error> os_failure(const std::string& doing, int error) {
  const ErrorCode code =
      error == EACCES || error == EPERM ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable;
  return failure(code, doing + ": " + std::generic_category().message(error));
}

Failure<Error> invalid(const std::string& spec, const std::string& why) {
  return failure(ErrorCode::kInvalidArgument, "invalid HTTP address \"" + spec + "\": " + why +
                                                  "; allowed are host:port, [v6]:port, unix:/path");
}

struct HostPort {
  std::string host, port;
};

Result<HostPort> split(const std::string& spec) {
  const size_t colon = spec.rfind(':');
  if (colon == std::string::npos) return invalid(spec, "there is no port");
  HostPort out{spec.substr(0, colon), spec.substr(colon + 1)};
  uint64_t port = 0;
  if (!parse_decimal(out.port, port) || port > kMaxPort) {
    return invalid(spec, "the port is not a number from 0 to 65535");
  }
  if (out.host.size() >= 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return invalid(spec, "an IPv6 address needs brackets");
  }
  if (out.host.empty()) return invalid(spec, "there is no host");
  return out;
}

std::string display(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const bool v6 = address->sa_family == AF_INET6;
  return (v6 ? "[" : "") + std::string(host.data()) + (v6 ? "]:" : ":") + port.data();
}

}  // namespace

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      family_(other.family_),
      address_(std::move(other.address_)),
      path_(std::exchange(other.path_, {})),
      lock_(std::move(other.lock_)) {}

ListenSocket::~ListenSocket() {
  if (!path_.empty()) unlink(path_.c_str());
}

Result<ListenSocket> ListenSocket::open(const std::string& spec) {
  if (spec.starts_with(kUnix)) return open_unix(spec.substr(kUnix.size()));
  return open_tcp(spec);
}

Result<ListenSocket> ListenSocket::open_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string spec = std::string(kUnix) + path;
  if (path.empty()) return invalid(spec, "there is no path");
  if (path.size() >= sizeof(address.sun_path)) {
    return invalid(
        spec, "the path is longer than " + std::to_string(sizeof(address.sun_path) - 1) + " bytes");
  }
  std::copy(path.begin(), path.end(), address.sun_path);

  ListenSocket out;
  const std::string lock_path = path + ".lock";
  out.lock_.reset(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.lock_) return os_failure("cannot open " + lock_path, errno);
  if (flock(out.lock_.value(), LOCK_EX | LOCK_NB) != 0) {
    return failure(ErrorCode::kUnavailable, spec + " is served by another process");
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) return invalid(spec, "the file exists and is no socket");
    unlink(path.c_str());  // left behind: whoever serves it would hold the lock
  }

  out.family_ = AF_UNIX;
  out.address_ = spec;
  out.fd_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out.fd_) return os_failure("cannot make a unix socket", errno);
  if (bind(out.fd_.value(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return os_failure("cannot bind " + spec, errno);
  }
  out.path_ = path;
  // Nobody can connect before listen(), so the mode is right from the first moment on.
  if (chmod(path.c_str(), 0600) != 0 || listen(out.fd_.value(), SOMAXCONN) != 0) {
    return os_failure("cannot listen on " + spec, errno);
  }
  return out;
}

Result<ListenSocket> ListenSocket::open_tcp(const std::string& spec) {
  Result<HostPort> where = split(spec);
  if (!where) return failure(where.error());
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(where->host.c_str(), where->port.c_str(), &hints, &raw);
  if (error != 0) {
    return failure(ErrorCode::kInvalidArgument, "cannot resolve \"" + where->host + "\" of \"" +
                                                    spec + "\": " + gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(raw, freeaddrinfo);

  ListenSocket out;
  out.family_ = found->ai_family;
  out.fd_.reset(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out.fd_) return os_failure("cannot make a socket for " + spec, errno);
  const int on = 1;  // after a restart, connections in TIME_WAIT must not keep the port
  setsockopt(out.fd_.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(out.fd_.value(), found->ai_addr, found->ai_addrlen) != 0) {
    return os_failure("cannot bind " + spec, errno);
  }
  if (listen(out.fd_.value(), SOMAXCONN) != 0) return os_failure("cannot listen on " + spec, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  if (getsockname(out.fd_.value(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return os_failure("cannot read the address of " + spec, errno);
  }
  out.address_ = display(reinterpret_cast<sockaddr*>(&bound), size);
  return out;
}

}  // namespace liballoc::agent
