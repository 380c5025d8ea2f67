// render.cc - see render.h. Must never print a string of a process unescaped.
#include "agent/cli/render.h"

#include <cstdio>
#include <utility>

#include "agent/base/text.h"
#include "agent/cli/format.h"

namespace liballoc::agent {
namespace {

namespace pb = ::liballoc::telemetry::v1;

double seconds_of(const google::protobuf::Timestamp& time) {
  return static_cast<double>(time.seconds()) + static_cast<double>(time.nanos()) / 1e9;
}

std::string start_of(const pb::ProcessRef& ref) {
  return ref.has_start_time() ? human_time(ref.start_time().seconds()) : "-";
}

std::string bytes_or_unknown(uint64_t bytes) { return bytes == 0 ? "-" : human_bytes(bytes); }

std::string per_second(uint64_t now, uint64_t before, double seconds) {
  if (seconds <= 0 || now < before) return "-";
  return human_count(static_cast<uint64_t>(static_cast<double>(now - before) / seconds + 0.5));
}

// The line of `stats --watch`, columns of fixed width: lines are printed one by one.
std::string watch_line(const char* time, const std::string& live, const std::string& objects,
                       const std::string& rate, const std::string& mallocs, const std::string& held,
                       const std::string& idle, const std::string& rss) {
  char line[256];
  std::snprintf(line, sizeof(line), "%-8s  %10s  %13s  %12s  %13s  %10s  %10s  %10s\n", time,
                live.c_str(), objects.c_str(), rate.c_str(), mallocs.c_str(), held.c_str(),
                idle.c_str(), rss.c_str());
  return line;
}

}  // namespace

std::string state_name(pb::ProcessState state) {
  switch (state) {
    case pb::PROCESS_STATE_RUNNING:
      return "running";
    case pb::PROCESS_STATE_EXITED:
      return "exited";
    case pb::PROCESS_STATE_KILLED:
      return "killed";
    case pb::PROCESS_STATE_FAULTED:
      return "faulted";
    default:
      return "unknown";
  }
}

std::string render_processes(const pb::ListProcessesResponse& list) {
  TextTable table({kRight, kLeft, kLeft, kRight, kRight, kRight, kLeft, kLeft});
  table.add_row(
      {"PID", "STATE", "STARTED (UTC)", "LIVE", "HELD", "RESIDENT", "SERVICE", "EXECUTABLE"});
  for (const pb::Process& process : list.processes()) {
    table.add_row({std::to_string(process.ref().pid()), state_name(process.ref().state()),
                   start_of(process.ref()), human_bytes(process.heap_alloc()),
                   human_bytes(process.sys()), bytes_or_unknown(process.resident_bytes()),
                   process.service(), process.executable()});
  }
  std::string out = table.str();
  for (const pb::Process& process : list.processes()) {
    if (process.fault().empty()) continue;
    out += "pid " + std::to_string(process.ref().pid()) + ": " + escape_control(process.fault()) +
           "\n";
  }
  return out;
}

namespace {

std::string render_stack(const char* title,
                         const google::protobuf::RepeatedPtrField<pb::FaultFrame>& frames) {
  if (frames.empty()) return "";
  std::string out = std::string("  ") + title + "\n";
  for (const pb::FaultFrame& frame : frames) {
    char address[32];
    std::snprintf(address, sizeof(address), "0x%llx",
                  static_cast<unsigned long long>(frame.address()));
    out += "    " + (frame.function().empty() ? address : escape_control(frame.function()));
    if (!frame.file().empty()) {
      out += " " + escape_control(frame.file()) + ":" + std::to_string(frame.line());
    } else {
      out += " in " + escape_control(frame.module());
    }
    out += "\n";
  }
  return out;
}

}  // namespace

std::string render_faults(const pb::ListFaultsResponse& reply) {
  std::string out;
  for (const pb::Fault& fault : reply.faults()) {
    out += "\nfault at " + human_time(fault.time().seconds()) + " UTC in thread " +
           std::to_string(fault.tid()) + "\n  " + escape_control(fault.message()) + "\n";
    out += render_stack("found at", fault.found_at());
    out += render_stack("allocated at", fault.allocated_at());
    out += render_stack("freed at", fault.freed_at());
  }
  return out;
}

std::string render_memstats(const pb::GetMemStatsResponse& reply) {
  const pb::MemStats& m = reply.memstats();
  std::string out =
      "pid " + std::to_string(reply.process().pid()) + ", " + state_name(reply.process().state()) +
      ", started " + start_of(reply.process()) + " UTC, key " +
      escape_control(reply.process().key()) + "\nread " +
      human_time(reply.collect_time().seconds()) + " UTC" +
      (reply.stale() ? ", older than the question: it could not be read in time" : "") + "\n\n";
  TextTable table({kLeft, kRight, kLeft});
  table.add_row({"live objects", human_count(m.heap_objects())});
  table.add_row({"live bytes", human_bytes(m.heap_alloc())});
  table.add_row({"allocated so far", human_bytes(m.total_alloc()),
                 "in " + human_count(m.mallocs()) + " allocations"});
  table.add_row({"freed so far", human_bytes(m.total_alloc() - m.heap_alloc()),
                 "in " + human_count(m.frees()) + " frees"});
  table.add_row({"heap in use", human_bytes(m.heap_inuse()),
                 human_percent(m.heap_alloc(), m.heap_inuse()) + " of it live"});
  table.add_row({"heap idle", human_bytes(m.heap_idle()),
                 human_bytes(m.heap_released()) + " of it returned to the OS"});
  table.add_row({"peak in use", human_bytes(m.peak_heap_inuse()),
                 m.has_peak_heap_inuse_time()
                     ? "at " + human_time(m.peak_heap_inuse_time().seconds()) + " UTC"
                     : ""});
  table.add_row({"thread caches", human_bytes(m.thread_cache_bytes()),
                 "in " + human_count(m.threads_live()) + " threads"});
  table.add_row({"allocator's tables", human_bytes(m.sys() - m.heap_sys()),
                 human_bytes(m.buck_hash_sys()) + " of it profile and telemetry"});
  table.add_row({"held in all", human_bytes(m.sys())});
  table.add_row({"resident (process)", bytes_or_unknown(m.resident_bytes()),
                 bytes_or_unknown(m.virtual_bytes()) + " virtual"});
  table.add_row({"given back", human_bytes(m.scavenged_bytes_total()), "since the start"});
  table.add_row({"samples", human_count(m.samples_taken()),
                 m.sample_period() == 0 ? "sampling is off"
                                        : "one per " + human_bytes(m.sample_period()) + ", " +
                                              human_count(m.samples_live()) + " live"});
  if (m.soft_limit() != 0) {
    table.add_row({"soft limit", human_bytes(m.soft_limit()),
                   "reached " + human_count(m.soft_limit_hits()) + " times"});
  }
  if (m.out_of_memory() != 0) {
    table.add_row({"out of memory", human_count(m.out_of_memory()), "requests refused"});
  }
  const pb::ReadHealth& health = reply.health();
  if (health.dropped_records() + health.corrupt_records() + health.growth_failures() != 0) {
    table.add_row({"telemetry lost",
                   human_count(health.dropped_records() + health.corrupt_records()), "records"});
  }
  return out + table.str();
}

std::string render_classes(const pb::MemStats& stats) {
  TextTable table({kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"SIZE", "LIVE", "OBJECTS", "MALLOCS", "FREES", "SPANS", "SLOTS USED"});
  for (const pb::SizeClassStats& row : stats.by_size()) {
    if (row.mallocs() == 0 && row.spans() == 0) continue;
    const uint64_t objects = row.mallocs() - row.frees();
    table.add_row({row.object_bytes() == 0 ? "large" : std::to_string(row.object_bytes()),
                   human_bytes(row.live_bytes()), human_count(objects), human_count(row.mallocs()),
                   human_count(row.frees()), human_count(row.spans()),
                   human_percent(objects, row.slots())});
  }
  return table.str();
}

std::string watch_header() {
  return watch_line("TIME", "LIVE", "OBJECTS", "BYTES/s", "MALLOCS/s", "HELD", "IDLE", "RESIDENT");
}

std::string render_reading(const pb::WatchMemStatsResponse& now,
                           const pb::WatchMemStatsResponse* before) {
  const pb::MemStats& m = now.memstats();
  std::string rate = "-";
  std::string mallocs = "-";
  if (before != nullptr) {
    const double seconds = seconds_of(now.collect_time()) - seconds_of(before->collect_time());
    const pb::MemStats& b = before->memstats();
    mallocs = per_second(m.mallocs(), b.mallocs(), seconds);
    if (seconds > 0 && m.total_alloc() >= b.total_alloc()) {
      const double bytes = static_cast<double>(m.total_alloc() - b.total_alloc());
      rate = human_bytes(static_cast<uint64_t>(bytes / seconds + 0.5));
    }
  }
  const std::string time = human_time(now.collect_time().seconds());
  std::string line =
      watch_line(time.size() > 11 ? time.c_str() + 11 : "-", human_bytes(m.heap_alloc()),
                 human_count(m.heap_objects()), rate, mallocs, human_bytes(m.sys()),
                 human_bytes(m.heap_idle()), bytes_or_unknown(m.resident_bytes()));
  if (now.process().state() != pb::PROCESS_STATE_RUNNING) {
    line += "the process has ended: " + state_name(now.process().state()) + "\n";
  }
  return line;
}

}  // namespace liballoc::agent
