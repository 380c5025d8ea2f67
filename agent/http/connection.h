// connection.h - one client connection: bytes to HttpRequest, HttpReply to bytes, with a limit on
// everything.
//
// Lives on the io thread alone; the only part that runs elsewhere is the work it hands to the
// pools. Included by server.cc and connection.cc only, so that no other file has to compile Asio
// and Beast.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "agent/http/message.h"
#include "agent/http/routes.h"
#include "agent/http/server.h"

namespace liballoc::agent {

using StreamSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol>;

// What all connections share. Outlives them.
struct ConnectionEnvironment {
  const HttpOptions* options;
  Router* router;
  boost::asio::thread_pool* quick_workers;
  boost::asio::thread_pool* profile_workers;
  bool stopping = false;  // io thread only
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(StreamSocket socket, ConnectionEnvironment* environment);

  // Serves requests until the client leaves, breaks a rule or the server stops. Never throws on
  // what a client does.
  boost::asio::awaitable<void> run();

  // The server stops: ends a wait for a request or for a delta; a reply under way goes on.
  void wind_down();
  // Ends everything now.
  void close();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
  enum class State { kReading, kBusy, kWaiting };
  enum class ReadResult { kRequest, kClosed, kRefused };

  boost::asio::awaitable<bool> wait_for_bytes();
  boost::asio::awaitable<ReadResult> read_request(Parser* parser, HttpResponse* refusal);
  boost::asio::awaitable<HttpResponse> respond(const HttpRequest& request);
  boost::asio::awaitable<HttpReply> run_on(Workers workers, std::function<HttpReply()> work);
  boost::asio::awaitable<bool> wait_or_leave(std::chrono::seconds wait);
  boost::asio::awaitable<bool> write(const HttpResponse& response, unsigned version, bool head_only,
                                     bool keep_alive);
  boost::asio::awaitable<void> linger();

  boost::beast::basic_stream<boost::asio::generic::stream_protocol> stream_;
  boost::asio::steady_timer delta_timer_;
  boost::beast::flat_buffer buffer_;
  ConnectionEnvironment* environment_;
  State state_ = State::kReading;
  bool first_request_ = true;
  bool client_gone_ = false;
};

}  // namespace liballoc::agent
