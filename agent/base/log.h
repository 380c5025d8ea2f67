// log.h - one line per message to stderr, with a level and a limit on repetition.
//
// Thread-safe. Must never be called per event, per record or per sample: a call site that can
// repeat uses a LogLimiter. Messages are escaped here, so a foreign string cannot forge a line or
// reach a terminal as an escape sequence.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace liballoc::agent {

enum class LogLevel { kDebug = 0, kInfo, kWarning, kError, kOff };

std::string_view log_level_name(LogLevel level);
// "debug", "info", "warning", "error" or "off".
std::optional<LogLevel> parse_log_level(std::string_view name);

void set_log_level(LogLevel level);  // kInfo at start
LogLevel log_level();
void log_message(LogLevel level, std::string_view message);

inline void log_debug(std::string_view message) { log_message(LogLevel::kDebug, message); }
inline void log_info(std::string_view message) { log_message(LogLevel::kInfo, message); }
inline void log_warning(std::string_view message) { log_message(LogLevel::kWarning, message); }
inline void log_error(std::string_view message) { log_message(LogLevel::kError, message); }

// Receives each finished line without its newline; an empty function restores stderr.
using LogSink = std::function<void(LogLevel, std::string_view line)>;
void set_log_sink(LogSink sink);

// Admits at most `burst` messages per `interval` and counts the rest. Thread-safe.
class LogLimiter {
 public:
  using Clock = std::chrono::steady_clock;
  LogLimiter(uint32_t burst, std::chrono::milliseconds interval)
      : burst_(burst), interval_(interval) {}

  // Logs the message, with the number of those left out before it, or leaves it out.
  void log(LogLevel level, std::string_view message) { log_at(Clock::now(), level, message); }
  void log_at(Clock::time_point now, LogLevel level, std::string_view message);

 private:
  const uint32_t burst_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;  // guards everything below
  Clock::time_point window_start_{};
  uint32_t in_window_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace liballoc::agent
