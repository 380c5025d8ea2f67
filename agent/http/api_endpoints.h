// api_endpoints.h - /api/v1/...: the replies of the gRPC services as JSON, asked for with a GET.
//
// Runs on workers: asks for fresh figures, then reads snapshots. Every refusal is JSON too and says
// which value was wrong and what is allowed. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "agent/base/result.h"
#include "agent/http/context.h"
#include "agent/http/message.h"
#include "agent/http/server.h"
#include "agent/http/url.h"

namespace liballoc::agent {

class ApiEndpoints {
 public:
  ApiEndpoints(const HttpOptions& options, const HttpContext& context);

  // `process` is the {pid} of the path, or empty: then the parameter pid, or the only running
  // process.
  HttpReply processes(const Url& url) const;
  HttpReply memstats(const Url& url, const std::string& process) const;
  HttpReply spans(const Url& url, const std::string& process) const;
  HttpReply size_classes(const Url& url, const std::string& process) const;
  HttpReply address_map(const Url& url, const std::string& process) const;
  HttpReply events(const Url& url, const std::string& process) const;

 private:
  struct Target {
    std::shared_ptr<const Snapshot> snapshot;
    bool stale = false;  // it runs, but could not be read in time
  };
  Result<Target> find(const Url& url, const std::string& process) const;

  const HttpOptions options_;
  const HttpContext context_;
};

}  // namespace liballoc::agent
