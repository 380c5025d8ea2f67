// request_counts.h - how many requests were answered, by route and status code. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/metrics/collector.h"

namespace liballoc::agent {

class RequestCounts {
 public:
  // `route` comes from a fixed set, so the table is bounded.
  void add(std::string_view route, int code) {
    const std::lock_guard lock(mutex_);
    ++counts_[{std::string(route), code}];
  }

  std::vector<HttpRequestCount> list() const {
    const std::lock_guard lock(mutex_);
    std::vector<HttpRequestCount> out;
    for (const auto& [key, count] : counts_) out.push_back({key.first, key.second, count});
    return out;
  }

 private:
  mutable std::mutex mutex_;  // guards counts_
  std::map<std::pair<std::string, int>, uint64_t> counts_;
};

}  // namespace liballoc::agent
