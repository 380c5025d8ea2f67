// context.h - what the gRPC services are given, and what they share while they run.
//
// The daemon fills in ServiceContext; the services must never reach past it (no discovery, no
// segment reader). All members are called from several threads at once and must outlive the
// GrpcServer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "agent/model/registry.h"
#include "agent/model/symbol_source.h"
#include "agent/service/work_queue.h"

namespace liballoc::agent {

struct ServiceContext {
  const Registry* registry = nullptr;  // required
  SymbolSource* symbols = nullptr;     // null: profiles carry addresses only

  // Collects the process named by `key` ("" = all of them) now, and returns true once the registry
  // has the result; false when `deadline` passed first or the process is gone. Blocks: called from
  // worker threads only. May be empty: then the registry is always up to date.
  std::function<bool(const std::string& key, std::chrono::milliseconds deadline)> refresh;
};

struct ServiceLimits {
  std::chrono::milliseconds refresh_timeout{2000};  // wait for fresh figures at most this long
  size_t max_queued = 1024;   // calls that wait for a worker; further ones are refused
  size_t max_profiles = 32;   // calls that make, hold or send a profile; further ones are refused
  size_t max_watches = 1024;  // open Watch streams; further ones are refused
};

// Shared by all services of one server.
struct ServiceState {
  ServiceState(ServiceContext c, ServiceLimits l)
      : context(std::move(c)), limits(l), reads(4, l.max_queued), profiles(2, l.max_queued) {}

  const ServiceContext context;
  const ServiceLimits limits;
  std::atomic<bool> draining{false};  // set once, before the queues are hurried
  std::atomic<size_t> open_profiles{0};
  std::atomic<size_t> open_watches{0};
  WorkQueue reads;     // refreshes and figures: short waits for the collector
  WorkQueue profiles;  // encoding and symbolizing: may take seconds, so it has threads of its own
};

// Takes a place among at most `max`; false when there is none.
inline bool take_place(std::atomic<size_t>& places, size_t max) {
  if (places.fetch_add(1, std::memory_order_relaxed) < max) return true;
  places.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

inline void leave_place(std::atomic<size_t>& places) {
  places.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace liballoc::agent
