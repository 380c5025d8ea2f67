// reject_backoff.h - paces the retries of a segment that was rejected, and says which rejections
// are news. A broken segment is tried again ever more rarely, never given up.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "agent/reader/reject.h"

namespace liballoc::agent {

class RejectBackoff {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;
  // A minute: rare enough to cost nothing, often enough that a repaired segment is seen.
  static constexpr std::chrono::milliseconds kLongest{60000};

  bool due(SteadyTime now) const { return now >= next_try_; }

  // True when the reason differs from that of the rejection before.
  bool note(Reject reason, SteadyTime now, std::chrono::milliseconds interval) {
    const bool news = last_ != reason;
    last_ = reason;
    wait_ = std::min(kLongest, news ? interval : wait_ * 2);
    next_try_ = now + wait_;
    return news;
  }
  void clear() { *this = RejectBackoff(); }

 private:
  std::optional<Reject> last_;
  std::chrono::milliseconds wait_{0};
  SteadyTime next_try_{};
};

}  // namespace liballoc::agent
