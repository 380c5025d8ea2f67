// event_log.h - the latest ring events of each process, bounded, in the order in which they
// happened.
//
// Thread-safe. Never grows beyond its capacity per process: the oldest events make room, and a
// reader learns exactly how many it missed and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

// Where a reader is in the log of one process.
struct EventCursor {
  uint64_t log = 0;            // which log, since a key can get a new one; 0 = none yet
  uint64_t next_index = 0;     // in the order of events appended
  uint64_t next_sequence = 0;  // in the order of the ring
};

struct EventBatch {
  std::vector<Event> events;  // oldest first
  uint64_t overrun = 0;       // before the first of them: never appended
  uint64_t dropped = 0;       // before the first of them: appended, but made room since
  bool more = false;          // there are events behind these
  bool replaced = false;      // the key has another log than the cursor's: it will not go on
};

class EventLog {
 public:
  // 4096 events of 64 bytes are 256 KiB per process: some seconds of a busy one, hours of a quiet
  // one.
  static constexpr size_t kDefaultCapacity = 4096;

  explicit EventLog(size_t capacity_per_process = kDefaultCapacity)
      : capacity_(capacity_per_process) {}

  // Events must follow those appended before; any that do not (sequence not higher) are left out.
  void append(const std::string& key, const std::vector<Event>& events);
  void remove(const std::string& key);
  void rename(const std::string& key, const std::string& new_key);

  // At most `limit` events with a sequence of at least `from_sequence`, oldest first.
  std::vector<Event> since(std::string_view key, uint64_t from_sequence, size_t limit) const;

  // Before the oldest event there is, or behind the newest one.
  EventCursor oldest(std::string_view key) const;
  EventCursor newest(std::string_view key) const;
  // The next events, at most `limit`; moves the cursor behind them.
  EventBatch read(std::string_view key, EventCursor& cursor, size_t limit) const;

 private:
  struct Log {
    uint64_t id = 0;
    uint64_t evicted = 0;  // events that made room: index of the first one there is
    std::deque<Event> events;
  };

  const size_t capacity_;
  mutable std::mutex mutex_;  // guards all that follows
  uint64_t last_id_ = 0;
  std::map<std::string, Log, std::less<>> logs_;
};

}  // namespace liballoc::agent
