// view_render.cc - see view_render.h. Must never print a string of a process unescaped.
#include "agent/cli/view_render.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/cli/format.h"
#include "agent/cli/render.h"
#include "agent/messages/names.h"

namespace liballoc::agent {
namespace {

namespace pb = ::liballoc::telemetry::v1;

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %%", 100 * share);
  return text;
}

// "2.5 s", "3 min", "4 h", "5 d".
std::string span_of_time(int64_t seconds) {
  if (seconds < 120) return std::to_string(seconds) + " s";
  if (seconds < 120 * 60) return std::to_string(seconds / 60) + " min";
  if (seconds < 48 * 3600) return std::to_string(seconds / 3600) + " h";
  return std::to_string(seconds / 86400) + " d";
}

std::string flags_of(const pb::Span& span) {
  std::string out;
  if (span.noscan()) out += " noscan";
  if (span.released()) out += " released";
  if (span.need_zero()) out += " need-zero";
  return out.empty() ? out : out.substr(1);
}

// Fixed widths: a stream is printed piece by piece.
std::string span_line(const std::vector<std::string>& cells) {
  constexpr int kWidths[] = {-16, 8, 11, -11, 7, 7, 7, 8, 8, 8, -10};
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    char text[64];
    std::snprintf(text, sizeof(text), "%*s", kWidths[i], cells[i].c_str());
    line += (i == 0 ? "" : "  ") + std::string(text);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string about(const pb::ProcessRef& process, const google::protobuf::Timestamp& read) {
  return "pid " + std::to_string(process.pid()) + ", " + state_name(process.state()) + ", key " +
         escape_control(process.key()) + ", read " + human_time(read.seconds()) + " UTC";
}

std::string detail_of(const pb::SpanEvent& span) {
  std::string out = hex(span.base()) + "  " + std::to_string(span.pages()) + " pages";
  out += span.object_bytes() == 0 ? "" : " of " + std::to_string(span.object_bytes()) + " B slots";
  if (span.allocated() != 0) out += ", " + std::to_string(span.allocated()) + " allocated";
  if (span.swept() != 0) out += ", " + std::to_string(span.swept()) + " found free";
  if (span.other_pages() != 0) out += ", " + std::to_string(span.other_pages()) + " other pages";
  if (span.released_bytes() != 0) out += ", " + human_bytes(span.released_bytes()) + " released";
  return out;
}

std::string detail_of(const pb::Event& event) {
  switch (event.detail_case()) {
    case pb::Event::kSample: {
      const pb::SampleEvent& sample = event.sample();
      std::string out = hex(sample.address()) + "  " + std::to_string(sample.requested_bytes()) +
                        " B in a slot of " + std::to_string(sample.allocated_bytes()) +
                        " B, stack " + std::to_string(sample.stack());
      for (const auto& [key, value] : std::map(sample.labels().begin(), sample.labels().end())) {
        out += ", " + escape_control(key) + "=" + escape_control(value);
      }
      if (sample.has_age()) out += ", lived " + span_of_time(sample.age().seconds());
      return out;
    }
    case pb::Event::kSpan:
      return detail_of(event.span());
    case pb::Event::kHeap: {
      const pb::HeapEvent& heap = event.heap();
      std::string out = heap.address() == 0 ? "" : hex(heap.address()) + "  ";
      if (heap.grown_bytes() != 0) out += "by " + human_bytes(heap.grown_bytes());
      if (heap.heap_sys() != 0) out += ", heap of " + human_bytes(heap.heap_sys());
      if (heap.heap_bytes() != 0) out += "heap of " + human_bytes(heap.heap_bytes());
      if (heap.limit_bytes() != 0) out += ", limit " + human_bytes(heap.limit_bytes());
      return out;
    }
    case pb::Event::kFault:
      return hex(event.fault().address()) + "  code " + std::to_string(event.fault().code());
    case pb::Event::kThread:
      return "block " + std::to_string(event.thread().block());
    case pb::Event::DETAIL_NOT_SET:
      break;
  }
  std::string out;
  for (const uint64_t word : event.words()) out += hex(word) + " ";
  return out;
}

std::string clock_time(const google::protobuf::Timestamp& time) {
  const std::string text = human_time(time.seconds());
  char millis[8];
  std::snprintf(millis, sizeof(millis), ".%03d", time.nanos() / 1000000 % 1000);
  return (text.size() > 11 ? text.substr(11) : text) + millis;
}

}  // namespace

std::string render_top(const pb::ListProcessesResponse& list, uint64_t limit) {
  std::vector<const pb::Process*> running;
  uint64_t live = 0;
  uint64_t held = 0;
  for (const pb::Process& process : list.processes()) {
    if (process.ref().state() != pb::PROCESS_STATE_RUNNING) continue;
    running.push_back(&process);
    live += process.heap_alloc();
    held += process.sys();
  }
  std::stable_sort(running.begin(), running.end(), [](const pb::Process* a, const pb::Process* b) {
    return a->heap_alloc() > b->heap_alloc();
  });
  std::string out = human_time(list.time().seconds()) + " UTC, " + human_count(running.size()) +
                    " processes, " + human_bytes(live) + " live, " + human_bytes(held) +
                    " held\n\n";
  TextTable table({kRight, kRight, kRight, kRight, kRight, kLeft, kLeft});
  table.add_row({"PID", "LIVE", "HELD", "LIVE/HELD", "RESIDENT", "SERVICE", "EXECUTABLE"});
  if (limit != 0 && running.size() > limit) running.resize(limit);
  for (const pb::Process* process : running) {
    table.add_row({std::to_string(process->ref().pid()), human_bytes(process->heap_alloc()),
                   human_bytes(process->sys()),
                   human_percent(process->heap_alloc(), process->sys()),
                   process->resident_bytes() == 0 ? "-" : human_bytes(process->resident_bytes()),
                   process->service(), process->executable()});
  }
  return out + table.str();
}

std::string render_spans(const pb::StreamSpansResponse& spans, int64_t read_at) {
  std::string out;
  if (spans.has_process()) {
    out = about(spans.process(), spans.collect_time()) +
          (spans.stale() ? ", older than the question" : "") + ": " + human_count(spans.total()) +
          " spans\n\n" +
          span_line({"BASE", "PAGES", "BYTES", "STATE", "SIZE", "SLOTS", "USED", "FULL", "OWNER",
                     "AGE", "FLAGS"});
  }
  for (const pb::Span& span : spans.spans()) {
    const bool slots = span.object_bytes() != 0;
    const int64_t age = read_at - span.change_time().seconds();
    out +=
        span_line({hex(span.base()), human_count(span.pages()), human_bytes(span.bytes()),
                   short_name(span.state()), slots ? std::to_string(span.object_bytes()) : "-",
                   slots ? std::to_string(span.objects()) : "-",
                   slots ? std::to_string(span.allocated()) : "-", percent(span.occupancy()),
                   span.owner_tid() == 0 ? "-" : std::to_string(span.owner_tid()),
                   span.has_change_time() && age >= 0 ? span_of_time(age) : "-", flags_of(span)});
  }
  return out;
}

std::string render_size_classes(const pb::GetSizeClassesResponse& classes) {
  TextTable table(
      {kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"SIZE", "SPANS", "PARTIAL", "CACHED", "SLOTS", "LIVE", "WITH THREADS", "FREE",
                 "FULL", "SPAN BYTES", "ROUNDING"});
  uint64_t waste = 0;
  bool unknown = false;
  for (const pb::SizeClass& row : classes.classes()) {
    const bool known = row.has_rounding_waste_bytes_estimate();
    waste += row.rounding_waste_bytes_estimate();
    unknown = unknown || (!known && row.live_objects() != 0);
    table.add_row({row.object_bytes() == 0 ? "large" : std::to_string(row.object_bytes()),
                   human_count(row.spans()), human_count(row.partial_spans()),
                   human_count(row.cached_spans()), human_count(row.slots()),
                   human_count(row.live_objects()), human_count(row.cached_slots()),
                   human_count(row.free_slots()), percent(row.occupancy()),
                   human_bytes(row.span_bytes()),
                   known ? "~" + human_bytes(row.rounding_waste_bytes_estimate()) : "?"});
  }
  std::string out = about(classes.process(), classes.collect_time()) + "\n\n" + table.str() +
                    "\nROUNDING is what live objects have beyond what was asked for, estimated "
                    "from samples: ~" +
                    human_bytes(waste) + " in all";
  return out + (unknown ? "; ? where no live object is sampled.\n" : ".\n");
}

std::string render_map(const pb::GetAddressMapResponse& map) {
  TextTable table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row(
      {"ARENA", "IN USE", "CACHED", "IDLE", "RELEASED", "NOT IN USE YET", "SPANS", "LONGEST FREE"});
  const auto bytes = [&map](uint64_t pages) { return human_bytes(pages * map.page_bytes()); };
  std::string runs;
  for (const pb::Arena& arena : map.arenas()) {
    table.add_row({hex(arena.base()), bytes(arena.in_use_pages()), bytes(arena.page_cached_pages()),
                   bytes(arena.idle_pages()), bytes(arena.released_pages()),
                   bytes(arena.unknown_pages()), human_count(arena.spans()),
                   bytes(arena.longest_free_pages())});
    for (const pb::PageRun& run : arena.runs()) {
      runs += hex(arena.base() + uint64_t{run.first_page()} * map.page_bytes()) + "  " +
              human_count(run.pages()) + " pages, " + short_name(run.kind()) + "\n";
    }
  }
  std::string out = about(map.process(), map.collect_time()) + "\n\n" + table.str();
  if (map.omitted_pages() != 0) {
    out += human_count(map.omitted_pages()) + " pages lie in further arenas\n";
  }
  return runs.empty() ? out : out + "\n" + runs;
}

std::string render_events(const pb::WatchEventsResponse& events) {
  std::string out;
  if (events.overrun() != 0) {
    out += "-- " + human_count(events.overrun()) +
           " events missing: overwritten before the agent read them\n";
  }
  if (events.dropped() != 0) {
    out += "-- " + human_count(events.dropped()) + " events missing: read too slowly here\n";
  }
  for (const pb::Event& event : events.events()) {
    char start[96];
    std::snprintf(start, sizeof(start), "%s  %8llu  %7u  %-13s  ", clock_time(event.time()).c_str(),
                  static_cast<unsigned long long>(event.sequence()), event.tid(),
                  short_name(event.kind()).c_str());
    out += start + detail_of(event) + "\n";
  }
  return out;
}

}  // namespace liballoc::agent
