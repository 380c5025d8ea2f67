// log.cc - formats a line and writes it with one write(2). Must never throw into its caller.
#include "agent/base/log.h"

#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <utility>

#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"debug", "info", "warning", "error", "off"};

std::atomic<LogLevel> g_level{LogLevel::kInfo};

struct SinkHolder {
  std::mutex mutex;
  LogSink sink;
};
SinkHolder& sink_holder() {
  static SinkHolder* holder = new SinkHolder;  // outlives every thread that may still log at exit
  return *holder;
}

std::string timestamp() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  char text[64];
  const size_t length = ::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[24];
  std::snprintf(fraction, sizeof(fraction), ".%03ldZ", now.tv_nsec / 1000000);
  return std::string(text, length) + fraction;
}

void write_stderr(const std::string& line) {
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(STDERR_FILENO, line.data() + done, line.size() - done);
    if (n <= 0) return;  // nowhere to report it
    done += static_cast<size_t>(n);
  }
}

}  // namespace

std::string_view log_level_name(LogLevel level) { return kNames[static_cast<size_t>(level)]; }

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void set_log_level(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return g_level.load(std::memory_order_relaxed); }

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(sink_holder().mutex);
  sink_holder().sink = std::move(sink);
}

void log_message(LogLevel level, std::string_view message) {
  if (level == LogLevel::kOff || level < log_level()) return;
  std::string line = timestamp();
  line += ' ';
  line += log_level_name(level);
  line += ' ';
  line += escape_control(message);
  const std::lock_guard lock(sink_holder().mutex);
  if (sink_holder().sink) {
    sink_holder().sink(level, line);
    return;
  }
  line += '\n';
  write_stderr(line);
}

void LogLimiter::log_at(Clock::time_point now, LogLevel level, std::string_view message) {
  if (level == LogLevel::kOff || level < log_level()) return;
  uint64_t left_out = 0;
  {
    const std::lock_guard lock(mutex_);
    if (window_start_ == Clock::time_point{} || now - window_start_ >= interval_) {
      window_start_ = now;
      in_window_ = 0;
    }
    if (in_window_ >= burst_) {
      ++left_out_;
      return;
    }
    ++in_window_;
    left_out = std::exchange(left_out_, 0);
  }
  if (left_out == 0) {
    log_message(level, message);
  } else {
    log_message(level, std::string(message) + " (" + std::to_string(left_out) +
                           " similar messages left out)");
  }
}

}  // namespace liballoc::agent
