// listen_socket.h - a bound, listening TCP or unix socket. Never steals an address that another
// process serves.
#pragma once

#include <string>

#include "agent/base/result.h"
#include "agent/base/unique_fd.h"

namespace liballoc::agent {

// For a unix socket: holds the lock on "<path>.lock" for its life, and removes the socket file at
// its end. The lock file stays, since removing it would let two processes hold a lock on two files
// of that name.
class ListenSocket {
 public:
  // "host:port" (port 0 = any free one; the host must not be empty), "[v6]:port" or "unix:/path".
  // Non-blocking.
  static Result<ListenSocket> open(const std::string& spec);

  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&&) = delete;
  ~ListenSocket();

  int release_fd() { return fd_.release(); }
  int family() const { return family_; }
  const std::string& address() const { return address_; }

 private:
  ListenSocket() = default;
  static Result<ListenSocket> open_unix(const std::string& path);
  static Result<ListenSocket> open_tcp(const std::string& spec);

  UniqueFd fd_;
  int family_ = 0;
  std::string address_;
  std::string path_;  // of a unix socket that is ours to remove
  UniqueFd lock_;
};

}  // namespace liballoc::agent
