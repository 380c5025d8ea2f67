// pprof_endpoints.h - what net/http/pprof answers, for one of many processes: index, heap, allocs,
// cmdline, symbol.
//
// Runs on workers: asks for fresh figures, encodes, symbolizes. Every refusal says which value was
// wrong and what is allowed, with the header that makes `go tool pprof` print it. Thread-safe.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "agent/http/context.h"
#include "agent/http/message.h"
#include "agent/http/server.h"
#include "agent/http/url.h"
#include "agent/pprof/heap_profile.h"

namespace liballoc::agent {

// A text reply with X-Go-Pprof: 1.
HttpResponse pprof_error(int status, const std::string& message);

class PprofEndpoints {
 public:
  PprofEndpoints(const HttpOptions& options, const HttpContext& context);

  // `process` is the {pid} of the path, or empty: then the parameter pid, or the only running
  // process.
  HttpReply index(const Url& url, const std::string& process) const;
  HttpReply profile(ProfileKind kind, const Url& url, const std::string& process);
  HttpReply cmdline(const Url& url, const std::string& process) const;
  HttpReply symbol(const HttpRequest& request, const Url& url, const std::string& process) const;

 private:

  HttpResponse delta(ProfileKind kind, const ProfileOptions& options,
                     const SnapshotPtr& before) const;
  SnapshotPtr refreshed(const SnapshotPtr& snapshot) const;

  const HttpOptions options_;
  const HttpContext context_;
  // Delta requests that wait, each of which holds a snapshot. Shared with their replies, which may
  // outlive this.
  std::shared_ptr<std::atomic<size_t>> waiting_deltas_;
};

}  // namespace liballoc::agent
