// http_client.h - a plain blocking HTTP client on a real socket: sends exactly the bytes it is
// given. Never waits forever.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <stdexcept>
#include <string>

namespace liballoc::agent {

struct Reply {
  int status = 0;                              // 0: the connection ended before a whole reply came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

class HttpClient {
 public:
  // "127.0.0.1:port" or "unix:/path".
  explicit HttpClient(const std::string& address) {
    if (address.starts_with("unix:")) {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      address.copy(to.sun_path, sizeof(to.sun_path) - 1, 5);
      open(AF_UNIX, reinterpret_cast<sockaddr*>(&to), sizeof(to));
    } else {
      const size_t colon = address.rfind(':');
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
      open(AF_INET, reinterpret_cast<sockaddr*>(&to), sizeof(to));
    }
  }
  ~HttpClient() { close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  bool send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }

  Reply receive(bool head = false) {
    Reply reply;
    while (input_.find("\r\n\r\n") == std::string::npos) {
      if (!fill()) return reply;
    }
    const size_t end = input_.find("\r\n\r\n");
    parse_header(input_.substr(0, end + 2), &reply);
    input_.erase(0, end + 4);
    if (head || reply.status == 100) return reply;
    const size_t size = std::stoul("0" + reply.header("content-length"));
    while (input_.size() < size) {
      if (!fill()) return Reply();
    }
    reply.body = input_.substr(0, size);
    input_.erase(0, size);
    return reply;
  }

  Reply request(const std::string& method, const std::string& target,
                const std::string& headers = "", const std::string& body = "") {
    std::string message = method + " " + target + " HTTP/1.1\r\nHost: test\r\n" + headers;
    if (!body.empty()) message += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    send(message + "\r\n" + body);
    return receive(method == "HEAD");
  }
  Reply get(const std::string& target, const std::string& headers = "") {
    return request("GET", target, headers);
  }

  // True when the server has closed its end and nothing is left to read.
  bool at_end() { return input_.empty() && !fill(); }

 private:
  void open(int family, const sockaddr* to, socklen_t size) {
    fd_ = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd_, to, size) != 0) throw std::runtime_error("cannot connect");
  }

  bool fill() {
    char buffer[4096];
    const ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      throw std::runtime_error("no answer within a minute");
    }
    if (n <= 0) return false;
    input_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  static void parse_header(const std::string& text, Reply* reply) {
    reply->status = std::stoi(text.substr(text.find(' ') + 1));
    size_t at = text.find("\r\n") + 2;
    while (at < text.size()) {
      const size_t end = text.find("\r\n", at);
      const size_t colon = text.find(": ", at);
      std::string name = text.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      reply->headers[name] = text.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
  }

  int fd_ = -1;
  std::string input_;
};

}  // namespace liballoc::agent
