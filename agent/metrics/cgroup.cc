// cgroup.cc - see cgroup.h.
#include "agent/metrics/cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

#include "agent/base/unique_fd.h"

namespace liballoc::agent {
namespace {

constexpr size_t kMaxFileBytes = 4096;  // memory.events is about 100 bytes
constexpr size_t kContainerIdDigits = 64;

// Walks one component at a time, so that no component can be a symlink that leads out of the tree.
UniqueFd open_group(const std::string& root, std::string_view path) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  UniqueFd at(open(root.c_str(), kFlags));
  while (at && !path.empty()) {
    size_t slash = path.find('/');
    std::string name(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (name.empty()) continue;
    if (name == "." || name == "..") return UniqueFd();
    at.reset(openat(at.value(), name.c_str(), kFlags | O_NOFOLLOW));
  }
  return at;
}

std::string read_file(int directory, const char* name) {
  const UniqueFd fd(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return {};
  std::array<char, kMaxFileBytes> buffer;
  ssize_t n = read(fd.value(), buffer.data(), buffer.size());
  return n <= 0 ? std::string() : std::string(buffer.data(), static_cast<size_t>(n));
}

std::optional<uint64_t> parse(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<uint64_t> event_count(std::string_view events, std::string_view event) {
  while (!events.empty()) {
    size_t newline = events.find('\n');
    std::string_view line = events.substr(0, newline);
    events.remove_prefix(newline == std::string_view::npos ? events.size() : newline + 1);
    if (line.size() > event.size() && line.starts_with(event) && line[event.size()] == ' ') {
      return parse(line.substr(event.size() + 1));
    }
  }
  return std::nullopt;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

CgroupReader::CgroupReader(std::string root) : root_(std::move(root)) {}

CgroupMemory CgroupReader::read(std::string_view cgroup) const {
  CgroupMemory memory;
  if (cgroup.starts_with("0::")) cgroup.remove_prefix(3);
  if (!cgroup.starts_with('/') || cgroup.find_first_not_of('/') == std::string_view::npos ||
      cgroup.find('\0') != std::string_view::npos) {
    return memory;
  }
  const UniqueFd group = open_group(root_, cgroup);
  if (!group) return memory;
  memory.current = parse(read_file(group.value(), "memory.current"));
  memory.max =
      parse(read_file(group.value(), "memory.max"));  // the word "max" is no number: no limit
  memory.high = parse(read_file(group.value(), "memory.high"));
  memory.oom_kills = event_count(read_file(group.value(), "memory.events"), "oom_kill");
  return memory;
}

std::string container_id(std::string_view cgroup) {
  std::string found;
  size_t run = 0;
  for (size_t i = 0; i <= cgroup.size(); ++i) {
    if (i < cgroup.size() && is_hex(cgroup[i])) {
      ++run;
      continue;
    }
    if (run == kContainerIdDigits) found = cgroup.substr(i - run, run);
    run = 0;
  }
  return found;
}

}  // namespace liballoc::agent
