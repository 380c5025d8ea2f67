// dump_sections.cc - see dump_sections.h: what a segment says of itself and of its heap. Must never
// print a string of a process unescaped.
#include "agent/cli/dump_sections.h"

#include <string_view>

#include "agent/base/text.h"
#include "agent/cli/dump_text.h"
#include "agent/cli/format.h"
#include "agent/model/size_class_table.h"
#include "agent/model/span_query.h"
#include "agent/reader/counter_math.h"
#include "agent/reader/limits.h"
#include "agent/reader/table.h"

namespace liballoc::agent {
namespace {

std::string_view kind_name(uint32_t kind) {
  switch (kind) {
    case LIBALLOC_SECTION_IDENTITY:
      return "identity";
    case LIBALLOC_SECTION_MEMSTATS:
      return "memstats";
    case LIBALLOC_SECTION_THREADS:
      return "threads";
    case LIBALLOC_SECTION_SPANS:
      return "spans";
    case LIBALLOC_SECTION_STACKS:
      return "stacks";
    case LIBALLOC_SECTION_FRAMES:
      return "frames";
    case LIBALLOC_SECTION_BUCKETS:
      return "buckets";
    case LIBALLOC_SECTION_SAMPLES:
      return "samples";
    case LIBALLOC_SECTION_MODULES:
      return "modules";
    case LIBALLOC_SECTION_RING:
      return "ring";
    case LIBALLOC_SECTION_FAULTS:
      return "faults";
    case LIBALLOC_SECTION_SIZE_CLASSES:
      return "size-classes";
    case LIBALLOC_SECTION_LABELS:
      return "labels";
    case LIBALLOC_SECTION_LABEL_SETS:
      return "label sets";
    case LIBALLOC_SECTION_PEAK:
      return "peak";
    default:
      return "unknown";
  }
}

std::string_view exit_name(uint64_t state) {
  switch (state) {
    case LIBALLOC_EXIT_NONE:
      return "none recorded";
    case LIBALLOC_EXIT_CLEAN:
      return "clean";
    case LIBALLOC_EXIT_FAULT:
      return "fault";
    default:
      return "unknown";
  }
}

}  // namespace

ReadResult<std::vector<liballoc_abi_section>> read_directory(const ByteSource& source,
                                                             const Layout& layout) {
  const liballoc_abi_header& header = layout.header;  // its bounds were checked with the layout
  Extent extent;
  extent.offset = header.directory_offset;
  extent.stride = header.directory_stride;
  std::vector<liballoc_abi_section> entries(header.directory_count);
  const auto read = read_records<liballoc_abi_section>(source, extent, 0, entries);
  if (!read) return failure(read.error());
  return entries;
}

ReadResult<std::vector<liballoc_abi_thread>> read_threads(const ByteSource& source,
                                                          const Layout& layout) {
  auto table = read_table<liballoc_abi_thread, false>(
      source, layout.section(LIBALLOC_SECTION_THREADS), limits::kMaxThreads);
  if (!table) return failure(table.error());
  return std::move(table->records);
}

void dump_header(const Dump& dump, std::ostream& out) {
  const liballoc_abi_header& h = dump.layout.header;
  const WallClock clock(h);
  line(out, "version", std::to_string(h.major) + "." + std::to_string(h.minor));
  line(out, "pid",
       std::to_string(h.pid) + ", user " + std::to_string(h.uid) + ", PID namespace " +
           std::to_string(h.pid_namespace));
  line(out, "start",
       std::to_string(h.start_ticks) + " ticks, " + wall_time(clamp_unix_ns(h.start_realtime_ns)));
  line(out, "created", wall_time(clamp_unix_ns(h.created_realtime_ns)));
  if (h.forked_from != 0) line(out, "forked from", "pid " + std::to_string(h.forked_from));
  line(out, "lock", !dump.alive ? "unknown" : *dump.alive ? "held: the process lives" : "free");
  line(out, "exit",
       std::string(exit_name(h.exit_state)) +
           (h.exit_monotonic_ns == 0 ? ""
                                     : ", " + wall_time(clock.to_unix_ns(h.exit_monotonic_ns))));
  line(out, "bytes", human_count(h.valid_bytes) + " in use of " + human_count(h.capacity_bytes));
  line(out, "heap",
       "pages of " + human_bytes(h.page_bytes) + ", arenas of " + human_bytes(h.arena_bytes));
  line(out, "growth failures", human_count(h.growth_failures));
}

void dump_directory(const Dump& dump, std::ostream& out) {
  TextTable table({kRight, kLeft, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"KIND", "NAME", "EXTENT", "OFFSET", "STRIDE", "CAPACITY", "COUNT", "DROPPED"});
  for (const liballoc_abi_section& entry : dump.directory) {
    table.add_row({std::to_string(entry.kind), std::string(kind_name(entry.kind)),
                   std::to_string(entry.extent), std::to_string(entry.offset),
                   std::to_string(entry.stride), human_count(entry.capacity),
                   human_count(entry.count), human_count(entry.dropped)});
  }
  out << table.str();
}

void dump_identity(const Dump& dump, std::ostream& out) {
  const ProcessIdentity& id = dump.reading.snapshot.identity;
  line(out, "executable", id.executable);
  std::string words;
  for (const std::string& word : id.command_line) words += (words.empty() ? "" : " ") + word;
  line(out, "command line", words);
  line(out, "service", id.service);
  line(out, "control group", id.cgroup);
  line(out, "host name", id.hostname);
  line(out, "liballoc", id.liballoc_version);
  line(out, "build id", id.build_id);
}

void dump_memstats(const Dump& dump, std::ostream& out) {
  const MemStats& m = dump.reading.snapshot.memstats;
  line(out, "updated", wall_time(dump.reading.last_update_unix_ns));
  const std::pair<const char*, uint64_t> kBytes[] = {
      {"heap_alloc", m.heap_alloc},
      {"total_alloc", m.total_alloc},
      {"sys", m.sys},
      {"heap_sys", m.heap_sys},
      {"heap_inuse", m.heap_inuse},
      {"heap_idle", m.heap_idle},
      {"heap_released", m.heap_released},
      {"mspan_inuse", m.mspan_inuse},
      {"mspan_sys", m.mspan_sys},
      {"mcache_inuse", m.mcache_inuse},
      {"mcache_sys", m.mcache_sys},
      {"buck_hash_sys", m.buck_hash_sys},
      {"gc_sys", m.gc_sys},
      {"other_sys", m.other_sys},
      {"os_reserved", m.os_reserved},
      {"os_prepared", m.os_prepared},
      {"os_ready", m.os_ready},
      {"peak_heap_inuse", m.peak_heap_inuse},
      {"scavenged", m.scavenged_bytes_total},
      {"heap_grow_bytes", m.heap_grow_bytes},
      {"soft_limit", m.soft_limit},
      {"sample_period", m.sample_period},
      {"thread_caches", m.thread_cache_bytes},
      {"segment", m.segment_bytes},
  };
  for (const auto& [name, value] : kBytes) {
    line(out, name, human_count(value) + " B (" + human_bytes(value) + ")");
  }
  const std::pair<const char*, uint64_t> kCounts[] = {
      {"mallocs", m.mallocs},
      {"frees", m.frees},
      {"heap_objects", m.heap_objects},
      {"tiny_allocs", m.tiny_allocs},
      {"heap_grows", m.heap_grows},
      {"soft_limit_hits", m.soft_limit_hits},
      {"out_of_memory", m.out_of_memory},
      {"samples_taken", m.samples_taken},
      {"samples_live", m.samples_live},
      {"samples_truncated", m.samples_truncated},
      {"threads_live", m.threads_live},
      {"threads_started", m.threads_started},
      {"spans_live", m.spans_live},
      {"spans_idle", m.spans_idle},
      {"arenas", m.arenas},
      {"scavenge_ns", m.scavenge_ns_total},
  };
  for (const auto& [name, value] : kCounts) line(out, name, human_count(value));
  std::string calls;
  for (const uint64_t count : m.os_calls) calls += (calls.empty() ? "" : " ") + human_count(count);
  line(out, "os_calls", calls + " (reserve map used unused fault alloc free, failures)");
  if (m.peak_heap_inuse_time_unix_ns != 0) {
    line(out, "peak at", wall_time(m.peak_heap_inuse_time_unix_ns));
  }
}

void dump_size_classes(const Dump& dump, std::ostream& out) {
  const Snapshot& snapshot = dump.reading.snapshot;
  TextTable table({kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"CLASS", "BYTES", "PAGES", "SLOTS/SPAN", "MALLOCS", "FREES", "LIVE", "SPANS",
                 "WITH THREADS"});
  for (const SizeClassFigures& figures : size_class_figures(snapshot)) {
    const SizeClassStats& stats = snapshot.memstats.by_size[figures.size_class];
    table.add_row({std::to_string(figures.size_class), std::to_string(stats.object_bytes),
                   std::to_string(stats.span_pages), std::to_string(stats.objects_per_span),
                   human_count(stats.mallocs), human_count(stats.frees),
                   human_count(figures.live_objects), human_count(figures.spans),
                   human_count(figures.cached_slots)});
  }
  out << table.str();
}

void dump_threads(const Dump& dump, std::ostream& out) {
  const WallClock clock(dump.layout.header);
  TextTable table({kRight, kRight, kLeft, kRight, kRight, kRight, kRight});
  table.add_row({"BLOCK", "TID", "SINCE", "THREADS", "MALLOCS", "FREES", "CACHED"});
  for (size_t i = 0; i < dump.threads.size(); ++i) {
    const liballoc_abi_thread& thread = dump.threads[i];
    uint64_t mallocs = 0;
    uint64_t frees = 0;
    for (const liballoc_abi_class_counter& c : thread.classes) {
      mallocs = saturating_add(mallocs, objects_handed_out(c.granted, c.granted_low, c.countdown));
      frees = saturating_add(frees, c.frees);
    }
    table.add_row({std::to_string(i), thread.tid == 0 ? "-" : std::to_string(thread.tid),
                   wall_time(clock.to_unix_ns(thread.started_ns)), human_count(thread.threads),
                   human_count(mallocs), human_count(frees), human_bytes(thread.cached_bytes)});
  }
  out << table.str();
}

void dump_spans(const Dump& dump, std::ostream& out) {
  const Snapshot& snapshot = dump.reading.snapshot;
  TextTable table({kRight, kLeft, kRight, kLeft, kRight, kRight, kRight, kRight, kLeft, kLeft});
  table.add_row(
      {"RECORD", "BASE", "PAGES", "STATE", "BYTES", "SLOTS", "USED", "OWNER", "CHANGED", "FLAGS"});
  for (const Span& span : snapshot.spans) {
    table.add_row({std::to_string(span.record), hex(span.base), human_count(span.pages),
                   std::string(span_state_name(span.state)), std::to_string(span.object_bytes),
                   std::to_string(span.objects), std::to_string(span.allocated),
                   span.owner_tid == 0 ? "-" : std::to_string(span.owner_tid),
                   wall_time(span.changed_unix_ns), span_flags(span.flags)});
  }
  out << table.str();
}

}  // namespace liballoc::agent
