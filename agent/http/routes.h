// routes.h - which request means what, and the reply to it. Knows no socket: a request value in, a
// reply value out.
//
// match() is cheap and runs on the io thread; handle() may block (fresh figures) or compute
// (profiles) and runs on workers. Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "agent/http/api_endpoints.h"
#include "agent/http/context.h"
#include "agent/http/message.h"
#include "agent/http/pprof_endpoints.h"
#include "agent/http/request_counts.h"
#include "agent/http/server.h"
#include "agent/http/url.h"
#include "agent/metrics/collector.h"

namespace liballoc::agent {

enum class Endpoint {
  kIndex,
  kMetrics,
  kHealthz,
  kReadyz,
  kPprofRedirect,
  kPprofIndex,
  kHeap,
  kAllocs,
  kPeakHeap,
  kCmdline,
  kSymbol,
  kApiProcesses,
  kApiMemStats,
  kApiSpans,
  kApiSizeClasses,
  kApiAddressMap,
  kApiEvents,
  kUnknownProfile,
  kNotFound,
};

// Who answers: the io thread itself, or workers for quick replies, or workers for profiles. They
// are apart, so that slow symbolization never delays a scrape.
enum class Workers { kNone, kQuick, kProfiles };

struct Match {
  Endpoint endpoint = Endpoint::kNotFound;
  Url url;
  std::string process;     // from /processes/{pid}/...
  std::string_view label;  // the route as a metric label, from a fixed set
  Workers workers = Workers::kNone;
  bool bad_url = false;
};

class Router {
 public:
  Router(const HttpOptions& options, const HttpContext& context);

  Match match(const HttpRequest& request) const;
  HttpReply handle(const HttpRequest& request, const Match& match);

  RequestCounts& counts() { return counts_; }

 private:
  HttpResponse metrics(const HttpRequest& request);
  HttpResponse readyz() const;

  const HttpOptions options_;
  const HttpContext context_;
  MetricsCollector collector_;
  PprofEndpoints pprof_;
  const ApiEndpoints api_;
  RequestCounts counts_;
};

}  // namespace liballoc::agent
