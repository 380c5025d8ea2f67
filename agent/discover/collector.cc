// collector.cc - the thread around the process table: when to look, and who is waiting. Must never
// hold the mutex while it reads a segment.
#include "agent/discover/collector.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "agent/base/log.h"
#include "agent/base/unique_fd.h"
#include "agent/discover/process_table.h"

namespace liballoc::agent {
namespace {

using Clock = std::chrono::steady_clock;

// At most one look at the directory in this time on account of inotify, so that a storm of forks
// does not become a storm of listings; also the time after which a segment without its magic is
// looked at again.
constexpr std::chrono::milliseconds kRescanGap{20};

}  // namespace

class Collector::Impl {
 public:
  Impl(CollectorOptions options, Registry& registry)
      : options_(std::move(options)), table_(options_, registry) {}

  Status start();
  void stop();
  bool collect_now(const std::string& key, std::chrono::milliseconds deadline);
  CollectorStats stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

 private:
  struct Request {
    std::string key;
    bool done = false;
    bool ok = false;
  };

  void run();
  void full_pass();
  void serve(const std::vector<std::shared_ptr<Request>>& requests);
  // Until then, or until somebody asks for something, or the directory changes where that would be
  // news.
  void wait_until(Clock::time_point when, bool for_changes);
  void wake();
  // Runs one piece of work; an exception (memory) ends the work, not the thread. A pass over all
  // segments is counted, with its time, once it is through.
  template <typename Work>
  void guarded(bool of_all, Work work);

  const CollectorOptions options_;
  ProcessTable table_;  // owned by the thread once it runs
  UniqueFd wake_fd_;
  std::thread thread_;
  LogLimiter trouble_log_{1, std::chrono::seconds(60)};

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable served_;
  bool running_ = false;
  bool stopping_ = false;
  std::vector<std::shared_ptr<Request>> requests_;
  CollectorStats stats_;
  uint64_t collections_ = 0;
  double collect_seconds_ = 0;
};

Status Collector::Impl::start() {
  if (options_.shm_dir.empty()) {
    return failure(ErrorCode::kInvalidArgument, "segment directory \"\": must not be empty");
  }
  if (options_.interval <= std::chrono::milliseconds(0)) {
    return failure(ErrorCode::kInvalidArgument, "collection interval " +
                                                    std::to_string(options_.interval.count()) +
                                                    " ms: must be above 0");
  }
  if (options_.retain_exited < std::chrono::seconds(0)) {
    return failure(ErrorCode::kInvalidArgument, "retention of exited processes " +
                                                    std::to_string(options_.retain_exited.count()) +
                                                    " s: must not be negative");
  }
  if (thread_.joinable()) {
    return failure(ErrorCode::kInvalidArgument, "the collector was started before");
  }
  wake_fd_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_fd_) {
    return failure(ErrorCode::kUnavailable, std::string("eventfd: ") + std::strerror(errno));
  }
  full_pass();
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::exception& error) {
    return failure(ErrorCode::kUnavailable, std::string("collector thread: ") + error.what());
  }
  const std::lock_guard lock(mutex_);
  running_ = true;
  stopping_ = false;
  return {};
}

void Collector::Impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    running_ = false;
  }
  if (!thread_.joinable()) return;
  wake();
  thread_.join();
  const std::lock_guard lock(mutex_);
  requests_.clear();
  served_.notify_all();
}

void Collector::Impl::wake() {
  const uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t n = ::write(wake_fd_.value(), &one, sizeof(one));
}

bool Collector::Impl::collect_now(const std::string& key, std::chrono::milliseconds deadline) {
  auto request = std::make_shared<Request>();
  request->key = key;
  std::unique_lock lock(mutex_);
  if (!running_) return false;
  requests_.push_back(request);
  wake();
  served_.wait_for(lock, deadline, [&] { return request->done || !running_; });
  return request->done && request->ok;
}

template <typename Work>
void Collector::Impl::guarded(bool of_all, Work work) {
  const auto begin = Clock::now();
  bool done = false;
  try {
    work();
    done = true;
  } catch (const std::exception& error) {
    trouble_log_.log(LogLevel::kError, std::string("collection failed: ") + error.what());
  }
  const std::lock_guard lock(mutex_);
  if (done && of_all) {
    ++collections_;
    collect_seconds_ += std::chrono::duration<double>(Clock::now() - begin).count();
  }
  stats_ = table_.stats();
  stats_.collections = collections_;
  stats_.collect_seconds = collect_seconds_;
}

void Collector::Impl::full_pass() {
  guarded(true, [this] {
    table_.rescan();
    table_.poll_all();
  });
}

void Collector::Impl::serve(const std::vector<std::shared_ptr<Request>>& requests) {
  // One reading serves all that asked for the same process.
  std::map<std::string, bool> results;
  bool rescanned = false;
  for (const auto& request : requests) {
    if (results.contains(request->key)) continue;
    bool& ok = results[request->key];
    guarded(request->key.empty(), [&] {
      if (request->key.empty()) {
        table_.rescan();
        table_.poll_all();
        ok = true;
        return;
      }
      ok = table_.poll_one(request->key);
      if (ok || rescanned) return;
      rescanned = true;
      table_.rescan();
      ok = table_.poll_one(request->key);
    });
  }
  const std::lock_guard lock(mutex_);
  for (const auto& request : requests) {
    request->ok = results[request->key];
    request->done = true;
  }
  served_.notify_all();
}

void Collector::Impl::wait_until(Clock::time_point when, bool for_changes) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now()).count();
  const int timeout = static_cast<int>(std::clamp<int64_t>(left, 0, 60000));
  pollfd fds[2] = {{wake_fd_.value(), POLLIN, 0},
                   {for_changes ? table_.watch_fd() : -1, POLLIN, 0}};
  ::poll(fds, 2, timeout);  // a negative descriptor is skipped; EINTR is one round more
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(wake_fd_.value(), &count, sizeof(count));
}

void Collector::Impl::run() {
  auto next_pass = Clock::now() + options_.interval;
  auto last_scan = Clock::now();
  bool scan_wanted = false;
  for (;;) {
    scan_wanted = scan_wanted || table_.waiting_for_magic();
    // Being woken costs the process that starts or ends, too: once for each look is enough.
    wait_until(scan_wanted ? std::min(next_pass, last_scan + kRescanGap) : next_pass, !scan_wanted);
    std::vector<std::shared_ptr<Request>> requests;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      requests.swap(requests_);
    }
    if (!requests.empty()) serve(requests);
    if (table_.drain_watch()) scan_wanted = true;
    const auto now = Clock::now();
    if (now >= next_pass) {
      full_pass();
      scan_wanted = false;
      last_scan = Clock::now();
      next_pass = std::max(now + options_.interval, last_scan);
    } else if (scan_wanted && now >= last_scan + kRescanGap) {
      guarded(false, [this] { table_.rescan(); });
      scan_wanted = false;
      last_scan = Clock::now();
    }
  }
}

Collector::Collector(CollectorOptions options, Registry& registry)
    : impl_(std::make_unique<Impl>(std::move(options), registry)) {}
Collector::~Collector() { stop(); }
Status Collector::start() { return impl_->start(); }
void Collector::stop() { impl_->stop(); }
bool Collector::collect_now(const std::string& key, std::chrono::milliseconds deadline) {
  return impl_->collect_now(key, deadline);
}
CollectorStats Collector::stats() const { return impl_->stats(); }

}  // namespace liballoc::agent
