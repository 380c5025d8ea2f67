// routes.cc - see routes.h.
#include "agent/http/routes.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "agent/http/pages.h"
#include "agent/metrics/exposition.h"
#include "agent/pprof/gzip.h"

namespace liballoc::agent {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kProcesses = "/processes/";
constexpr std::string_view kPprof = "/debug/pprof";

struct Route {
  std::string_view path;
  Endpoint endpoint;
  Workers workers;
  std::string_view label;             // as a metric label
  std::string_view label_by_process;  // the same below /processes/{pid}; empty = not there
};

constexpr Route kRoutes[] = {
    {"/", Endpoint::kIndex, Workers::kQuick, "/", ""},
    {"/metrics", Endpoint::kMetrics, Workers::kQuick, "/metrics", ""},
    {"/healthz", Endpoint::kHealthz, Workers::kNone, "/healthz", ""},
    {"/readyz", Endpoint::kReadyz, Workers::kQuick, "/readyz", ""},
    {"/debug/pprof", Endpoint::kPprofRedirect, Workers::kNone, "/debug/pprof/",
     "/processes/{pid}/debug/pprof/"},
    {"/debug/pprof/", Endpoint::kPprofIndex, Workers::kQuick, "/debug/pprof/",
     "/processes/{pid}/debug/pprof/"},
    {"/debug/pprof/heap", Endpoint::kHeap, Workers::kProfiles, "/debug/pprof/heap",
     "/processes/{pid}/debug/pprof/heap"},
    {"/debug/pprof/allocs", Endpoint::kAllocs, Workers::kProfiles, "/debug/pprof/allocs",
     "/processes/{pid}/debug/pprof/allocs"},
    {"/debug/pprof/peakheap", Endpoint::kPeakHeap, Workers::kProfiles, "/debug/pprof/peakheap",
     "/processes/{pid}/debug/pprof/peakheap"},
    {"/debug/pprof/cmdline", Endpoint::kCmdline, Workers::kQuick, "/debug/pprof/cmdline",
     "/processes/{pid}/debug/pprof/cmdline"},
    {"/debug/pprof/symbol", Endpoint::kSymbol, Workers::kProfiles, "/debug/pprof/symbol",
     "/processes/{pid}/debug/pprof/symbol"},
    {"/api/v1/processes", Endpoint::kApiProcesses, Workers::kQuick, "/api/v1/processes", ""},
    {"/api/v1/memstats", Endpoint::kApiMemStats, Workers::kQuick, "/api/v1/memstats",
     "/processes/{pid}/api/v1/memstats"},
    {"/api/v1/spans", Endpoint::kApiSpans, Workers::kQuick, "/api/v1/spans",
     "/processes/{pid}/api/v1/spans"},
    {"/api/v1/size_classes", Endpoint::kApiSizeClasses, Workers::kQuick, "/api/v1/size_classes",
     "/processes/{pid}/api/v1/size_classes"},
    {"/api/v1/address_map", Endpoint::kApiAddressMap, Workers::kQuick, "/api/v1/address_map",
     "/processes/{pid}/api/v1/address_map"},
    {"/api/v1/events", Endpoint::kApiEvents, Workers::kQuick, "/api/v1/events",
     "/processes/{pid}/api/v1/events"},
};
constexpr std::string_view kOther = "other";

// Splits "/processes/{pid}/debug/pprof/..." into the process and the rest.
bool take_process(std::string_view* path, std::string* process) {
  if (!path->starts_with(kProcesses)) return false;
  const std::string_view rest = path->substr(kProcesses.size());
  const size_t slash = rest.find('/');
  if (slash == 0 || slash == std::string_view::npos) return false;
  *process = rest.substr(0, slash);
  *path = rest.substr(slash);
  return true;
}

bool method_allowed(const std::string& method, Endpoint endpoint) {
  return method == "GET" || method == "HEAD" || (method == "POST" && endpoint == Endpoint::kSymbol);
}

HttpResponse method_not_allowed(const HttpRequest& request, Endpoint endpoint) {
  const std::string allowed = endpoint == Endpoint::kSymbol ? "GET, HEAD, POST" : "GET, HEAD";
  HttpResponse response = text_response(
      405, "method " + request.method + " is not allowed here; allowed are " + allowed + "\n");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

// A scraper that says how long it will wait is answered in time, with older figures if need be.
milliseconds refresh_deadline(const std::string& scrape_timeout, milliseconds limit) {
  double seconds = 0;
  auto [end, error] = std::from_chars(scrape_timeout.data(),
                                      scrape_timeout.data() + scrape_timeout.size(), seconds);
  if (error != std::errc() || !(seconds > 0) || seconds > 3600) return limit;
  // Half of its patience: the rest is for the figures to be written and sent.
  return std::min(limit, milliseconds(static_cast<int64_t>(seconds * 500)));
}

}  // namespace

Router::Router(const HttpOptions& options, const HttpContext& context)
    : options_(options),
      context_(context),
      collector_(options.max_processes, CgroupReader(options.cgroup_root)),
      pprof_(options, context),
      api_(options, context) {}

Match Router::match(const HttpRequest& request) const {
  Match match;
  match.label = kOther;
  std::optional<Url> url = parse_url(request.target);
  if (!url) {
    match.bad_url = true;
    return match;
  }
  match.url = *std::move(url);
  std::string_view path = match.url.path;
  const bool by_process = take_process(&path, &match.process);
  for (const Route& route : kRoutes) {
    const std::string_view label = by_process ? route.label_by_process : route.label;
    if (route.path != path || label.empty()) continue;
    match.endpoint = route.endpoint;
    match.workers = route.workers;
    match.label = label;
    return match;
  }
  if (path.starts_with(kPprof) && path.substr(kPprof.size()).starts_with('/')) {
    match.endpoint = Endpoint::kUnknownProfile;
  }
  return match;
}

HttpReply Router::handle(const HttpRequest& request, const Match& match) {
  if (match.bad_url) return text_response(400, "malformed request target\n");
  if (!method_allowed(request.method, match.endpoint)) {
    return method_not_allowed(request, match.endpoint);
  }
  switch (match.endpoint) {
    case Endpoint::kIndex:
      return process_list_page(context_.registry->list());
    case Endpoint::kMetrics:
      return metrics(request);
    case Endpoint::kHealthz:
      return text_response(200, "ok\n");
    case Endpoint::kReadyz:
      return readyz();
    case Endpoint::kPprofRedirect: {
      HttpResponse response = text_response(301, "");
      std::string location = "pprof/";  // relative: right below any proxy's prefix
      if (!match.url.raw_query.empty()) location += "?" + match.url.raw_query;
      response.headers.emplace_back("Location", location);
      return response;
    }
    case Endpoint::kPprofIndex:
      return pprof_.index(match.url, match.process);
    case Endpoint::kHeap:
      return pprof_.profile(ProfileKind::kHeap, match.url, match.process);
    case Endpoint::kAllocs:
      return pprof_.profile(ProfileKind::kAllocs, match.url, match.process);
    case Endpoint::kPeakHeap:
      return pprof_.profile(ProfileKind::kPeakHeap, match.url, match.process);
    case Endpoint::kCmdline:
      return pprof_.cmdline(match.url, match.process);
    case Endpoint::kSymbol:
      return pprof_.symbol(request, match.url, match.process);
    case Endpoint::kApiProcesses:
      return api_.processes(match.url);
    case Endpoint::kApiMemStats:
      return api_.memstats(match.url, match.process);
    case Endpoint::kApiSpans:
      return api_.spans(match.url, match.process);
    case Endpoint::kApiSizeClasses:
      return api_.size_classes(match.url, match.process);
    case Endpoint::kApiAddressMap:
      return api_.address_map(match.url, match.process);
    case Endpoint::kApiEvents:
      return api_.events(match.url, match.process);
    case Endpoint::kUnknownProfile:
      return pprof_error(404, "Unknown profile");
    case Endpoint::kNotFound:
      break;
  }
  return text_response(404, "not found\n");
}

HttpResponse Router::metrics(const HttpRequest& request) {
  if (context_.refresh) {
    // When it is not done in time the last figures are served; epoch_age_seconds tells their age.
    context_.refresh("", refresh_deadline(request.scrape_timeout, options_.refresh_timeout));
  }
  CollectorInput input;
  input.processes = context_.registry->list();
  if (context_.agent_stats) input.agent = context_.agent_stats();
  input.http_requests = counts_.list();
  input.now_unix_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  const ExpositionFormat format = negotiate_format(request.accept);
  HttpResponse response;
  response.content_type = content_type(format);
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  response.body = expose(collector_.collect(input), format);
  if (accepts_gzip(request.accept_encoding)) {
    response.body = gzip_compress(response.body);
    response.headers.emplace_back("Content-Encoding", "gzip");
  }
  return response;
}

HttpResponse Router::readyz() const {
  if (context_.agent_stats && context_.agent_stats().collections == 0) {
    return text_response(503, "not ready: the first collection has not ended yet\n");
  }
  return text_response(200, "ok\n");
}

}  // namespace liballoc::agent
