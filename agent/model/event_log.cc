// event_log.cc - see event_log.h. Must never hold its lock while it calls out.
#include "agent/model/event_log.h"

#include <algorithm>
#include <utility>

namespace liballoc::agent {

void EventLog::append(const std::string& key, const std::vector<Event>& events) {
  if (events.empty() || capacity_ == 0) return;
  const std::lock_guard lock(mutex_);
  Log& log = logs_[key];
  if (log.id == 0) log.id = ++last_id_;
  for (const Event& event : events) {
    if (!log.events.empty() && event.sequence <= log.events.back().sequence) continue;
    if (log.events.size() == capacity_) {
      log.events.pop_front();
      ++log.evicted;
    }
    log.events.push_back(event);
  }
}

void EventLog::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  logs_.erase(key);
}

void EventLog::rename(const std::string& key, const std::string& new_key) {
  const std::lock_guard lock(mutex_);
  auto node = logs_.extract(key);
  if (node.empty()) return;
  node.key() = new_key;
  logs_.erase(new_key);
  logs_.insert(std::move(node));
}

std::vector<Event> EventLog::since(std::string_view key, uint64_t from_sequence,
                                   size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto found = logs_.find(key);
  if (found == logs_.end()) return {};
  const std::deque<Event>& events = found->second.events;
  const auto first = std::lower_bound(
      events.begin(), events.end(), from_sequence,
      [](const Event& event, uint64_t sequence) { return event.sequence < sequence; });
  const auto count = std::min<size_t>(limit, static_cast<size_t>(events.end() - first));
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

EventCursor EventLog::oldest(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = logs_.find(key);
  if (found == logs_.end()) return {};
  const Log& log = found->second;  // never empty: it comes with its first event
  return {log.id, log.evicted, log.events.front().sequence};
}

EventCursor EventLog::newest(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  const auto found = logs_.find(key);
  if (found == logs_.end()) return {};
  const Log& log = found->second;
  return {log.id, log.evicted + log.events.size(), log.events.back().sequence + 1};
}

EventBatch EventLog::read(std::string_view key, EventCursor& cursor, size_t limit) const {
  EventBatch batch;
  const std::lock_guard lock(mutex_);
  const auto found = logs_.find(key);
  if (found == logs_.end()) {
    batch.replaced = cursor.log != 0;
    return batch;
  }
  const Log& log = found->second;
  if (cursor.log == 0) cursor.log = log.id;  // its first events have come
  if (cursor.log != log.id) {
    batch.replaced = true;
    return batch;
  }
  const uint64_t first = std::max(cursor.next_index, log.evicted);
  const uint64_t end = log.evicted + log.events.size();
  if (first >= end) return batch;
  const auto begin = log.events.begin() + static_cast<std::ptrdiff_t>(first - log.evicted);
  const auto count = static_cast<std::ptrdiff_t>(std::min<uint64_t>(limit, end - first));
  batch.events.assign(begin, begin + count);
  batch.more = static_cast<uint64_t>(count) < end - first;
  batch.dropped = first - cursor.next_index;
  // What is between two sequence numbers was either appended and dropped, or never there.
  const uint64_t gap = batch.events.front().sequence -
                       std::min(cursor.next_sequence, batch.events.front().sequence);
  batch.overrun = gap - std::min(batch.dropped, gap);
  for (size_t i = 1; i < batch.events.size(); ++i) {
    // Only a message that begins behind a gap can tell it: cut the batch there.
    if (batch.events[i].sequence == batch.events[i - 1].sequence + 1) continue;
    batch.events.erase(batch.events.begin() + static_cast<std::ptrdiff_t>(i), batch.events.end());
    batch.more = true;
  }
  cursor.next_index = first + batch.events.size();
  cursor.next_sequence = batch.events.empty() ? cursor.next_sequence
                                              : batch.events.back().sequence + 1;
  return batch;
}

}  // namespace liballoc::agent
