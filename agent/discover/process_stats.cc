// process_stats.cc - see process_stats.h. Must never read more than a page of any file.
#include "agent/discover/process_stats.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "agent/base/text.h"
#include "agent/base/unique_fd.h"

namespace liballoc::agent {
namespace {

std::optional<std::string> read_small_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::array<char, 4096> buffer;
  const ssize_t n = ::read(fd.value(), buffer.data(), buffer.size());
  if (n <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<size_t>(n));
}

// Nothing of a thread that has ended: the kernel says 0 of it.
std::optional<ProcessStats> read_statm(const std::string& path) {
  const auto statm = read_small_file(path);
  uint64_t virtual_pages = 0;
  uint64_t resident_pages = 0;
  std::istringstream words(statm.value_or(""));
  if (!(words >> virtual_pages >> resident_pages) || virtual_pages == 0) return std::nullopt;
  const uint64_t page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return ProcessStats{resident_pages * page_bytes, virtual_pages * page_bytes};
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(const std::string& text) {
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(name_end + 1));
  std::string word;
  ProcStat out;
  for (int field = 3; rest >> word; ++field) {
    if (field == 3) {
      if (word.size() != 1) return std::nullopt;
      out.state = word[0];
    } else if (field == 22) {
      if (!parse_decimal(word, out.start_ticks)) return std::nullopt;
      return out;
    }
  }
  return std::nullopt;
}

std::optional<std::array<uid_t, 4>> parse_proc_status_uids(const std::string& text) {
  // The only line before it that holds foreign text is the name, in which newlines are escaped.
  const size_t line = text.find("\nUid:");
  if (line == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(line + 5, text.find('\n', line + 1) - line - 5));
  std::array<uid_t, 4> ids;
  std::string word;
  for (uid_t& id : ids) {
    uint64_t value = 0;
    if (!(rest >> word) || !parse_decimal(word, value) || value > UINT32_MAX) return std::nullopt;
    id = static_cast<uid_t>(value);
  }
  return ids;
}

ProcessStatsReader::ProcessStatsReader(std::string proc_dir) : proc_dir_(std::move(proc_dir)) {
  struct stat info {};
  if (::stat((proc_dir_ + "/self/ns/pid").c_str(), &info) == 0) own_namespace_ = info.st_ino;
}

// Also when it is a zombie.
bool ProcessStatsReader::has_pid(const ProcessIdentity& identity) const {
  if (own_namespace_ == 0 || identity.pid_namespace != own_namespace_) return false;
  const auto text = read_small_file(proc_dir_ + "/" + std::to_string(identity.pid) + "/stat");
  const auto stat = text ? parse_proc_stat(*text) : std::nullopt;
  return stat && stat->start_ticks == identity.start_ticks && stat->state != 'X';
}

bool ProcessStatsReader::is_of_others(const ProcessIdentity& identity, uid_t owner) const {
  if (owner == 0) return false;
  const auto text = read_small_file(proc_dir_ + "/" + std::to_string(identity.pid) + "/status");
  const auto ids = text ? parse_proc_status_uids(*text) : std::nullopt;
  if (!ids || !has_pid(identity)) return false;
  return std::find(ids->begin(), ids->end(), owner) == ids->end();
}

std::optional<ProcessStats> ProcessStatsReader::read(const ProcessIdentity& identity) const {
  const std::string dir = proc_dir_ + "/" + std::to_string(identity.pid);
  auto stats = read_statm(dir + "/statm");
  if (!stats) {
    std::error_code error;  // the process may end meanwhile
    for (std::filesystem::directory_iterator task(dir + "/task", error), end; task != end && !stats;
         task.increment(error)) {
      stats = read_statm(task->path().string() + "/statm");
    }
  }
  // Asked after statm was read: if it is this process now, it was then.
  return stats && has_pid(identity) ? stats : std::nullopt;
}

}  // namespace liballoc::agent
