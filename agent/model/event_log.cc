// event_log.cc - see event_log.h. Must never hold its lock while it calls out.
#include "agent/model/event_log.h"

#include <algorithm>
#include <utility>

namespace liballoc::agent {

void EventLog::append(const std::string& key, const std::vector<Event>& events) {
  if (events.empty() || capacity_ == 0) return;
  const std::lock_guard lock(mutex_);
  std::deque<Event>& log = events_[key];
  for (const Event& event : events) {
    if (!log.empty() && event.sequence <= log.back().sequence) continue;
    if (log.size() == capacity_) log.pop_front();
    log.push_back(event);
  }
}

void EventLog::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  events_.erase(key);
}

void EventLog::rename(const std::string& key, const std::string& new_key) {
  const std::lock_guard lock(mutex_);
  auto node = events_.extract(key);
  if (node.empty()) return;
  events_.erase(new_key);
  node.key() = new_key;
  events_.insert(std::move(node));
}

std::vector<Event> EventLog::since(std::string_view key, uint64_t from_sequence,
                                   size_t limit) const {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(key);
  if (found == events_.end()) return {};
  const std::deque<Event>& log = found->second;
  const auto first = std::lower_bound(
      log.begin(), log.end(), from_sequence,
      [](const Event& event, uint64_t sequence) { return event.sequence < sequence; });
  const size_t available = static_cast<size_t>(log.end() - first);
  return {first, first + static_cast<std::ptrdiff_t>(std::min(available, limit))};
}

}  // namespace liballoc::agent
