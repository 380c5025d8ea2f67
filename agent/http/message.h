// message.h - one HTTP request and its reply as plain values, so that routes know no socket and no
// HTTP library.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace liballoc::agent {

struct HttpRequest {
  std::string method;
  std::string target;  // as sent: path and query, still escaped
  std::string accept;
  std::string accept_encoding;
  std::string scrape_timeout;  // X-Prometheus-Scrape-Timeout-Seconds
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

// A reply that needs time to pass first. `finish` runs on a worker thread; it is dropped when the
// client goes away.
struct DelayedResponse {
  std::chrono::seconds wait{0};
  std::function<HttpResponse()> finish;
};

using HttpReply = std::variant<HttpResponse, DelayedResponse>;

inline HttpResponse text_response(int status, std::string body) {
  return {status, "text/plain; charset=utf-8", {}, std::move(body)};
}

}  // namespace liballoc::agent
