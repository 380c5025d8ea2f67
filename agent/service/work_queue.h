// work_queue.h - a few threads that run what gRPC's own threads must not: anything that waits or
// computes.
//
// An accepted task runs exactly once, also when the queue is stopped: calls rely on it to be
// finished. Tasks that are due are bounded in number; timers are bounded by the calls that own
// them. Must never know gRPC.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace liballoc::agent {

// Thread-safe. Lock: mutex_, a leaf: never held while a task runs.
class WorkQueue {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::function<void()>;
  using TimerId = uint64_t;  // 0 = none

  WorkQueue(size_t threads, size_t max_queued);
  ~WorkQueue();  // stops
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // Runs `task` as soon as a thread is free. False: too many wait, or the queue is stopped; then it
  // never runs.
  [[nodiscard]] bool submit(Task task);

  // Runs `task` at `when`, or soon after. 0: the queue is stopped; then it never runs.
  [[nodiscard]] TimerId submit_at(Clock::time_point when, Task task);

  // Makes a timer due now. No effect on one that is already due or has run.
  void expedite(TimerId id);

  // From now on every timer is due at once, the waiting ones included. Used before a shutdown.
  void hurry();

  // Runs what has been accepted, without waiting for its time, and ends the threads. Idempotent;
  // not from a task.
  void stop();

 private:
  using Timers = std::multimap<Clock::time_point, std::pair<TimerId, Task>>;

  void run();
  void hurry_locked();

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> due_;  // guarded by mutex_, as is all that follows
  Timers timers_;         // by time
  std::unordered_map<TimerId, Timers::iterator> timer_of_;  // every element of timers_
  TimerId last_id_ = 0;
  bool hurry_ = false;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace liballoc::agent
