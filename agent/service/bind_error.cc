// bind_error.cc - see bind_error.h. Must never keep a socket.
#include "agent/service/bind_error.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/base/unique_fd.h"

namespace liballoc::agent {

std::string explain_bind_failure(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return "it has no port";
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                   address.c_str() + colon + 1, &hints, &found);
  if (failed != 0) return ::gai_strerror(failed);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    const UniqueFd fd(::socket(entry->ai_family, entry->ai_socktype | SOCK_CLOEXEC, 0));
    if (!fd) return std::strerror(errno);
    const int on = 1;  // as gRPC does, so that ports in TIME_WAIT are not blamed
    ::setsockopt(fd.value(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd.value(), entry->ai_addr, entry->ai_addrlen) != 0) return std::strerror(errno);
  }
  return "gRPC refused it, the operating system does not";
}

}  // namespace liballoc::agent
