// event_log.h - the latest ring events of each process, bounded, in the order in which they
// happened.
//
// Thread-safe. Never grows beyond its capacity per process: the oldest events make room, and a
// reader sees the gap in the sequence numbers.
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

 private:
  const size_t capacity_;
  mutable std::mutex mutex_;  // guards events_
  std::map<std::string, std::deque<Event>, std::less<>> events_;
};

}  // namespace liballoc::agent
