// server.cc - see server.h: the threads, the acceptor and the set of connections.
#include "agent/http/server.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "agent/base/log.h"
#include "agent/http/connection.h"
#include "agent/http/listen_socket.h"
#include "agent/http/routes.h"

namespace liballoc::agent {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;

constexpr size_t kQuickWorkers =
    2;  // a scrape waits for the collector; a second one must not wait for the first
constexpr size_t kProfileWorkers = 2;                   // encoding and symbolizing are CPU work
constexpr std::chrono::milliseconds kAcceptRetry{100};  // when the process is out of descriptors

constexpr std::string_view kBusyReply =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    "Content-Length: 21\r\n\r\ntoo many connections\n";

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpOptions options, HttpContext context)
      : options_(std::move(options)),
        router_(options_, context),
        acceptor_(io_),
        retry_timer_(io_),
        grace_timer_(io_),
        has_registry_(context.registry != nullptr) {}

  ~Impl() { stop(); }

  std::optional<std::string> start() {
    const std::lock_guard lock(mutex_);
    if (started_) return "the HTTP server has been started before";
    if (!has_registry_) return "the HTTP server needs a registry";
    Result<ListenSocket> opened = ListenSocket::open(options_.listen);
    if (!opened) return opened.error().message;
    listen_.emplace(std::move(*opened));
    error_code error;
    acceptor_.assign(Protocol(listen_->family(), 0), listen_->release_fd(), error);
    if (error) return "cannot serve on " + listen_->address() + ": " + error.message();
    started_ = true;
    quick_workers_.emplace(kQuickWorkers);
    profile_workers_.emplace(kProfileWorkers);
    environment_ = {&options_, &router_, &*quick_workers_, &*profile_workers_, false};
    asio::co_spawn(io_, accept_loop(), asio::detached);
    thread_ = std::thread([this] { run_io(); });
    return std::nullopt;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    if (thread_.joinable()) {
      asio::post(io_, [this] { wind_down(); });
      thread_.join();  // run() ends by itself when the last connection has
      quick_workers_->join();
      profile_workers_->join();
    }
    listen_.reset();
  }

  std::string address() const {
    const std::lock_guard lock(mutex_);
    return listen_ ? listen_->address() : std::string();
  }

 private:
  void run_io() {
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& failed) {
        log_error(std::string("HTTP: ") + failed.what());
      }
    }
  }

  asio::awaitable<void> accept_loop() {
    while (!environment_.stopping) {
      StreamSocket socket(io_);
      error_code error;
      co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
      if (environment_.stopping) break;
      if (error) {
        accept_errors_.log(LogLevel::kWarning, "HTTP: cannot accept: " + error.message());
        retry_timer_.expires_after(kAcceptRetry);
        co_await retry_timer_.async_wait(asio::redirect_error(asio::use_awaitable, error));
      } else if (connections_.size() >= options_.max_connections) {
        refuse(std::move(socket));
      } else {
        asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
      }
    }
  }

  // Says why and closes. The reply fits into any socket buffer, so nothing waits.
  void refuse(StreamSocket socket) {
    error_code error;
    socket.non_blocking(true, error);
    socket.write_some(asio::buffer(kBusyReply), error);
    socket.shutdown(StreamSocket::shutdown_send, error);
    router_.counts().add("other", 503);
  }

  asio::awaitable<void> serve(StreamSocket socket) {
    auto connection = std::make_shared<Connection>(std::move(socket), &environment_);
    connections_.insert(connection);
    try {
      co_await connection->run();
    } catch (const std::exception& failed) {
      accept_errors_.log(LogLevel::kError, std::string("HTTP connection: ") + failed.what());
      connection->close();
    }
    connections_.erase(connection);
    if (environment_.stopping && connections_.empty()) grace_timer_.cancel();
  }

  void wind_down() {
    environment_.stopping = true;
    error_code error;
    acceptor_.close(error);
    retry_timer_.cancel();
    for (const auto& connection : connections_) connection->wind_down();
    if (connections_.empty()) return;
    grace_timer_.expires_after(options_.stop_grace);
    grace_timer_.async_wait([this](error_code cancelled) {
      if (cancelled) return;
      for (const auto& connection : connections_) connection->close();
    });
  }

  const HttpOptions options_;
  Router router_;
  mutable std::mutex mutex_;  // guards start, stop and address against each other
  bool started_ = false;
  std::optional<ListenSocket> listen_;
  std::thread thread_;

  // The pools live longer than io_, whose coroutines may still hold work of theirs.
  std::optional<asio::thread_pool> quick_workers_;
  std::optional<asio::thread_pool> profile_workers_;

  // The io thread's own from here on.
  asio::io_context io_{1};
  asio::basic_socket_acceptor<Protocol> acceptor_;
  asio::steady_timer retry_timer_;
  asio::steady_timer grace_timer_;
  ConnectionEnvironment environment_{};
  std::set<std::shared_ptr<Connection>> connections_;
  LogLimiter accept_errors_{5, std::chrono::minutes(1)};
  const bool has_registry_;
};

HttpServer::HttpServer(HttpOptions options, HttpContext context)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(context))) {}

HttpServer::~HttpServer() = default;

std::optional<std::string> HttpServer::start() { return impl_->start(); }

void HttpServer::stop() { impl_->stop(); }

std::string HttpServer::address() const { return impl_->address(); }

}  // namespace liballoc::agent
