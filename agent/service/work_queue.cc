// work_queue.cc - see work_queue.h. Must never drop an accepted task.
#include "agent/service/work_queue.h"

#include <utility>

namespace liballoc::agent {

WorkQueue::WorkQueue(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() { stop(); }

bool WorkQueue::submit(Task task) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || due_.size() >= max_queued_) return false;
    due_.push_back(std::move(task));
  }
  changed_.notify_one();
  return true;
}

WorkQueue::TimerId WorkQueue::submit_at(Clock::time_point when, Task task) {
  TimerId id = 0;
  {
    std::lock_guard lock(mutex_);
    if (stopped_) return 0;
    id = ++last_id_;
    if (hurry_) {
      due_.push_back(std::move(task));
    } else {
      timer_of_[id] = timers_.emplace(when, std::pair(id, std::move(task)));
    }
  }
  changed_.notify_one();
  return id;
}

void WorkQueue::expedite(TimerId id) {
  {
    std::lock_guard lock(mutex_);
    const auto found = timer_of_.find(id);
    if (found == timer_of_.end()) return;
    due_.push_back(std::move(found->second->second.second));
    timers_.erase(found->second);
    timer_of_.erase(found);
  }
  changed_.notify_one();
}

void WorkQueue::hurry_locked() {
  hurry_ = true;
  for (auto& [when, timer] : timers_) due_.push_back(std::move(timer.second));
  timers_.clear();
  timer_of_.clear();
}

void WorkQueue::hurry() {
  {
    std::lock_guard lock(mutex_);
    hurry_locked();
  }
  changed_.notify_all();
}

void WorkQueue::stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    hurry_locked();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    const Clock::time_point now = Clock::now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      auto& [id, task] = timers_.begin()->second;
      timer_of_.erase(id);
      due_.push_back(std::move(task));
      timers_.erase(timers_.begin());
    }
    if (!due_.empty()) {
      Task task = std::move(due_.front());
      due_.pop_front();
      const bool more = !due_.empty();
      lock.unlock();
      if (more) changed_.notify_one();
      task();
      task = nullptr;  // what it holds is released without the lock
      lock.lock();
    } else if (stopped_) {
      return;
    } else if (timers_.empty()) {
      changed_.wait(lock);
    } else {
      const Clock::time_point next = timers_.begin()->first;
      changed_.wait_until(lock, next);
    }
  }
}

}  // namespace liballoc::agent
