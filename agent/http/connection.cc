// connection.cc - see connection.h.
#include "agent/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <ctime>
#include <exception>
#include <utility>

#include "agent/base/log.h"

namespace liballoc::agent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr size_t kReadChunkBytes = 4096;
constexpr size_t kBufferSlackBytes =
    65536;  // beyond the header limit, so that the parser and not the buffer objects
constexpr std::chrono::seconds kLingerTime{1};
constexpr size_t kLingerBytes = 256 * 1024;
constexpr int kClientGone = 499;  // never sent: a metric label

// The code of a completed operation goes to `error` instead of being thrown.
auto into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

std::string to_string(beast::string_view text) { return std::string(text.data(), text.size()); }

HttpRequest to_request(http::request<http::string_body>&& message) {
  HttpRequest request;
  request.method = to_string(message.method_string());
  request.target = to_string(message.target());
  request.accept = to_string(message[http::field::accept]);
  request.accept_encoding = to_string(message[http::field::accept_encoding]);
  request.scrape_timeout = to_string(message["X-Prometheus-Scrape-Timeout-Seconds"]);
  request.body = std::move(message.body());
  return request;
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 64> text;
  const size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return std::string(text.data(), size);
}

template <typename Body>
void set_header(const HttpResponse& response, unsigned version, bool keep_alive,
                http::response<Body>* message) {
  message->version(version);
  message->result(static_cast<unsigned>(response.status));
  message->set(http::field::server, "alloc-agent");
  message->set(http::field::date, http_date());
  message->set("X-Content-Type-Options", "nosniff");
  message->set(http::field::cache_control, "no-store");
  if (!response.content_type.empty()) {
    message->set(http::field::content_type, response.content_type);
  }
  for (const auto& [name, value] : response.headers) message->set(name, value);
  message->content_length(response.body.size());
  message->keep_alive(keep_alive);
}

HttpResponse refusal_of(error_code error, const HttpOptions& options) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return text_response(431, "request headers are larger than " +
                                  std::to_string(options.max_header_bytes) + " bytes\n");
  }
  if (error == http::error::body_limit) {
    return text_response(
        413, "request body is larger than " + std::to_string(options.max_body_bytes) + " bytes\n");
  }
  return text_response(400, "malformed request: " + error.message() + "\n");
}

bool is_parse_error(error_code error) {
  return error.category() == make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

HttpReply run_guarded(const std::function<HttpReply()>& work) {
  static LogLimiter limiter(5, std::chrono::minutes(1));
  try {
    return work();
  } catch (const std::exception& failed) {
    limiter.log(LogLevel::kError, std::string("HTTP request failed: ") + failed.what());
    return text_response(500, std::string("internal error: ") + failed.what() + "\n");
  }
}

}  // namespace

Connection::Connection(StreamSocket socket, ConnectionEnvironment* environment)
    : stream_(std::move(socket)),
      delta_timer_(stream_.get_executor()),
      buffer_(environment->options->max_header_bytes + kBufferSlackBytes),
      environment_(environment) {}

void Connection::wind_down() {
  if (state_ == State::kReading) close();
  if (state_ == State::kWaiting) delta_timer_.cancel();
}

void Connection::close() { stream_.close(); }

asio::awaitable<void> Connection::run() {
  const auto self = shared_from_this();  // keeps *this until the coroutine ends
  for (;;) {
    Parser parser;
    HttpResponse response;
    const ReadResult read = co_await read_request(&parser, &response);
    if (read == ReadResult::kClosed) break;
    state_ = State::kBusy;
    bool keep_alive = false;
    bool head_only = false;
    unsigned version = 11;
    if (read == ReadResult::kRefused) {
      environment_->router->counts().add("other", response.status);
    } else {
      keep_alive = parser.get().keep_alive();
      version = parser.get().version();
      const HttpRequest request = to_request(parser.release());
      head_only = request.method == "HEAD";
      response = co_await respond(request);
      if (client_gone_) break;
    }
    if (environment_->stopping) keep_alive = false;
    const bool written = co_await write(response, version, head_only, keep_alive);
    if (!written) break;
    if (read == ReadResult::kRefused) co_await linger();
    if (!keep_alive) break;
    state_ = State::kReading;
    if (environment_->stopping) break;
  }
  close();
}

// The first byte of a request: a kept connection may be idle for long, a new one may not.
asio::awaitable<bool> Connection::wait_for_bytes() {
  if (buffer_.size() > 0) co_return true;
  const HttpOptions& options = *environment_->options;
  stream_.expires_after(first_request_ ? options.header_timeout : options.idle_timeout);
  first_request_ = false;
  error_code error;
  const size_t size =
      co_await stream_.async_read_some(buffer_.prepare(kReadChunkBytes), into(error));
  buffer_.commit(size);
  co_return !error;
}

asio::awaitable<Connection::ReadResult> Connection::read_request(Parser* parser,
                                                                 HttpResponse* refusal) {
  const bool has_bytes = co_await wait_for_bytes();
  if (!has_bytes) co_return ReadResult::kClosed;
  const HttpOptions& options = *environment_->options;
  parser->header_limit(options.max_header_bytes);
  parser->body_limit(options.max_body_bytes);
  stream_.expires_after(options.header_timeout);
  error_code error;
  co_await http::async_read_header(stream_, buffer_, *parser, into(error));
  if (!error && beast::iequals(parser->get()[http::field::expect], "100-continue")) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(stream_, asio::buffer(kContinue), into(error));
  }
  if (!error) co_await http::async_read(stream_, buffer_, *parser, into(error));
  if (!error) co_return ReadResult::kRequest;
  if (!is_parse_error(error)) co_return ReadResult::kClosed;
  *refusal = refusal_of(error, options);
  co_return ReadResult::kRefused;
}

asio::awaitable<HttpResponse> Connection::respond(const HttpRequest& request) {
  Router* router = environment_->router;
  const Match match = router->match(request);
  HttpReply reply = co_await run_on(
      match.workers, [router, &request, &match] { return router->handle(request, match); });
  if (auto* delayed = std::get_if<DelayedResponse>(&reply)) {
    const bool stayed = co_await wait_or_leave(delayed->wait);
    if (!stayed) {
      client_gone_ = true;
      router->counts().add(match.label, kClientGone);
      co_return HttpResponse();
    }
    if (environment_->stopping) {
      reply = text_response(503, "the agent is shutting down\n");
    } else {
      std::function<HttpReply()> finish = std::move(delayed->finish);
      reply = co_await run_on(match.workers, std::move(finish));
    }
  }
  HttpResponse response = std::get<HttpResponse>(std::move(reply));
  router->counts().add(match.label, response.status);
  co_return response;
}

// Runs `work` on those workers and comes back to the io thread.
asio::awaitable<HttpReply> Connection::run_on(Workers workers, std::function<HttpReply()> work) {
  if (workers == Workers::kNone) co_return run_guarded(work);
  asio::thread_pool* pool =
      workers == Workers::kQuick ? environment_->quick_workers : environment_->profile_workers;
  co_return co_await asio::co_spawn(
      pool->get_executor(),
      [&work]() -> asio::awaitable<HttpReply> { co_return run_guarded(work); },
      asio::use_awaitable);
}

// Lets `wait` pass; false as soon as the client has closed its end. A stop of the server ends the
// wait early, too.
asio::awaitable<bool> Connection::wait_or_leave(std::chrono::seconds wait) {
  if (environment_->stopping) co_return true;
  state_ = State::kWaiting;
  delta_timer_.expires_after(wait);
  // Readable means: a further request (then there is no telling any more), or the end of the
  // stream.
  stream_.socket().async_wait(
      StreamSocket::wait_read, [self = shared_from_this()](error_code error) {
        if (error || self->state_ != State::kWaiting) return;
        char byte = 0;
        const ssize_t n =
            recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) return;
        self->client_gone_ = true;
        self->delta_timer_.cancel();
      });
  error_code error;
  co_await delta_timer_.async_wait(into(error));
  state_ = State::kBusy;
  if (stream_.socket().is_open()) stream_.socket().cancel(error);
  co_return !client_gone_;
}

asio::awaitable<bool> Connection::write(const HttpResponse& response, unsigned version,
                                        bool head_only, bool keep_alive) {
  error_code error;
  // The time limit starts anew with each piece, so it bounds a client that does not read, not the
  // size of a profile.
  if (head_only) {
    http::response<http::empty_body> message;
    set_header(response, version, keep_alive, &message);
    stream_.expires_after(environment_->options->write_timeout);
    co_await http::async_write(stream_, message, into(error));
    co_return !error;
  }
  http::response<http::string_body> message;
  set_header(response, version, keep_alive, &message);
  message.body() = response.body;
  http::response_serializer<http::string_body> serializer(message);
  while (!error && !serializer.is_done()) {
    stream_.expires_after(environment_->options->write_timeout);
    co_await http::async_write_some(stream_, serializer, into(error));
  }
  co_return !error;
}

// Closing with unread input makes the kernel reset the connection, and the client would lose the
// reply. So say that nothing follows, and read what is still coming, up to a limit.
asio::awaitable<void> Connection::linger() {
  error_code error;
  stream_.socket().shutdown(StreamSocket::shutdown_send, error);
  stream_.expires_after(kLingerTime);
  size_t total = 0;
  std::array<char, kReadChunkBytes> discarded;
  while (!error && total < kLingerBytes) {
    total += co_await stream_.async_read_some(asio::buffer(discarded), into(error));
  }
}

}  // namespace liballoc::agent
