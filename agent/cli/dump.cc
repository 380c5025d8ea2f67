// dump.cc - see dump.h. Must never print a value that was not copied and checked first.
#include "agent/cli/dump.h"

#include <algorithm>
#include <array>

#include "agent/base/text.h"
#include "agent/cli/command_parts.h"
#include "agent/cli/dump_sections.h"
#include "agent/reader/segment_file.h"
#include "agent/reader/segment_reader.h"

namespace liballoc::agent {
namespace {

struct DumpSection {
  std::string_view name;
  void (*print)(const Dump& dump, std::ostream& out);
};

constexpr std::array kDumpSections = std::to_array<DumpSection>({
    {"header", dump_header},
    {"directory", dump_directory},
    {"identity", dump_identity},
    {"memstats", dump_memstats},
    {"size-classes", dump_size_classes},
    {"threads", dump_threads},
    {"spans", dump_spans},
    {"stacks", dump_stacks},
    {"buckets", dump_buckets},
    {"labels", dump_labels},
    {"peak", dump_peak},
    {"samples", dump_samples},
    {"modules", dump_modules},
    {"ring", dump_ring},
    {"faults", dump_faults},
    {"health", dump_health},
});

// Reads everything there is; the segment may be changing.
ReadResult<Dump> load(const SegmentFile& file) {
  auto layout = read_layout(file);
  if (!layout) return failure(layout.error());
  Dump dump;
  dump.layout = std::move(*layout);
  dump.alive = file.locked();
  auto entries = read_directory(file, dump.layout);
  if (!entries) return failure(entries.error());
  dump.directory = std::move(*entries);
  auto threads = read_threads(file, dump.layout);
  if (!threads) return failure(threads.error());
  dump.threads = std::move(*threads);
  // The file may have any name here: take the one that its header asks for.
  const liballoc_abi_header& header = dump.layout.header;
  SegmentReader reader(SegmentName{header.pid, header.start_ticks, 0});
  const int64_t read_at = file.modified_unix_ns();
  auto reading = reader.read(file, dump.alive.value_or(false), read_at);
  if (!reading) return failure(reading.error());
  dump.reading = std::move(*reading);
  return dump;
}

}  // namespace

std::string dump_section_names() {
  std::string out;
  for (const DumpSection& section : kDumpSections) {
    if (!out.empty()) out += &section == &kDumpSections.back() ? " and " : ", ";
    out += section.name;
  }
  return out;
}

bool is_dump_section(std::string_view name) {
  return std::any_of(kDumpSections.begin(), kDumpSections.end(),
                     [name](const DumpSection& section) { return section.name == name; });
}

CliExit run_dump(const CliOptions& options, std::ostream& out, std::ostream& err) {
  const auto refuse = [&](const RejectError& error) {
    return complain(err, {kCliFailed, escape_control(options.file) + ": " +
                                          std::string(reject_name(error.reason)) + ": " +
                                          escape_control(error.detail)});
  };
  const auto file = SegmentFile::open_path(options.file);
  if (!file) return refuse(file.error());
  const auto dump = load(*file);
  if (!dump) return refuse(dump.error());
  for (const DumpSection& section : kDumpSections) {
    const auto& wanted = options.sections;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), section.name) == wanted.end()) {
      continue;
    }
    out << "== " << section.name << "\n";
    section.print(*dump, out);
    out << "\n";
    if (!out) break;  // a reader such as head has enough
  }
  return flushed(out, err);
}

}  // namespace liballoc::agent
