// wakeup.h - the one pending step of a call that waits, which a cancellation brings forward.
//
// A call that waits has exactly one step pending here and nothing else, so whoever runs that step
// owns the call and may finish it. Held by shared_ptr: the step can end the call while arm() still
// returns. Must never know gRPC.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "agent/service/work_queue.h"

namespace liballoc::agent {

// Thread-safe. Lock: mutex_, taken before the queue's.
class Wakeup {
 public:
  explicit Wakeup(WorkQueue& queue) : queue_(queue) {}

  // Runs `step` on the queue at `when`; at once if cancelled. False: the queue is stopped, the step
  // never runs. The caller must not touch its call afterwards: the step may have ended it.
  [[nodiscard]] bool arm(WorkQueue::Clock::time_point when, WorkQueue::Task step) {
    std::lock_guard lock(mutex_);
    if (cancelled_) when = WorkQueue::Clock::time_point::min();
    timer_ = queue_.submit_at(when, std::move(step));
    return timer_ != 0;
  }

  // The call is over for its client: whatever is pending runs now.
  void cancel() {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    queue_.expedite(timer_);
  }

  [[nodiscard]] bool cancelled() const {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  WorkQueue& queue_;
  mutable std::mutex mutex_;
  WorkQueue::TimerId timer_ = 0;  // guarded by mutex_, as is all that follows
  bool cancelled_ = false;
};

}  // namespace liballoc::agent
