// dump_records.cc - the rest of dump_sections.h: what was sampled, loaded, written to the ring, and
// found to be wrong. Must never print a string of a process unescaped.
#include <string>

#include "agent/base/text.h"
#include "agent/cli/dump_sections.h"
#include "agent/cli/dump_text.h"
#include "agent/cli/format.h"
#include "agent/messages/names.h"
#include "agent/model/profile_math.h"
#include "agent/model/span_query.h"

namespace liballoc::agent {
namespace {

// "/usr/bin/demo+0x1234", by the offset in the file; the address alone where no module has it.
std::string place_of(const Snapshot& snapshot, uint64_t pc) {
  const uint64_t inside = pc - (pc == 0 ? 0 : 1);
  for (const Module& module : snapshot.modules) {
    if (inside < module.start || inside >= module.end) continue;
    return module.path + "+" + hex(pc - module.load_bias);
  }
  return "?";
}

std::string kind_of(const Event& event) {
  const bool known = event.kind <= INT32_MAX;
  const std::string name =
      known ? short_name(static_cast<::liballoc::telemetry::v1::EventKind>(event.kind)) : "unknown";
  return name == "unknown" ? "kind " + std::to_string(event.kind) : name;
}

// The number under which dump_labels() shows it.
std::string label_set(uint32_t index) { return index == 0 ? "-" : std::to_string(index); }

}  // namespace

void dump_stacks(const Dump& dump, std::ostream& out) {
  const Snapshot& snapshot = dump.reading.snapshot;
  for (size_t i = 0; i < snapshot.stacks.size(); ++i) {
    const Stack& stack = snapshot.stacks[i];
    out << "stack " << i << (stack.truncated ? ", cut at the depth limit" : "") << "\n";
    for (const uint64_t pc : stack.pcs) {
      out << "  " << hex(pc) << "  " << escape_control(place_of(snapshot, pc)) << "\n";
    }
  }
}

void dump_buckets(const Dump& dump, std::ostream& out) {
  TextTable table({kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kRight});
  table.add_row({"BUCKET", "STACK", "LABELS", "CLASS", "BYTES", "PERIOD", "ALLOCS", "FREES",
                 "REQUESTED", "IN USE (ESTIMATE)"});
  const auto& buckets = dump.reading.snapshot.buckets;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const Bucket& bucket = buckets[i];
    const double live = estimate_live_bytes(bucket);
    table.add_row({std::to_string(i), std::to_string(bucket.stack), label_set(bucket.label_set),
                   std::to_string(bucket.cache_class), human_count(bucket.allocated_bytes),
                   human_count(bucket.period), human_count(bucket.allocs),
                   human_count(bucket.frees), human_count(bucket.alloc_requested),
                   live < 1e18 ? human_bytes(static_cast<uint64_t>(live)) : "?"});
  }
  out << table.str();
}

void dump_labels(const Dump& dump, std::ostream& out) {
  const auto& sets = dump.reading.snapshot.label_sets;
  if (sets.size() < 2) out << "no sample had labels\n";
  for (size_t i = 1; i < sets.size(); ++i) {
    out << "label set " << i << "\n";
    for (const auto& [key, value] : sets[i]) {
      out << "  " << escape_control(key) << "=" << escape_control(value) << "\n";
    }
  }
}

void dump_peak(const Dump& dump, std::ostream& out) {
  const PeakProfile& peak = dump.reading.snapshot.peak;
  if (peak.heap_inuse == 0) {
    out << "none was taken\n";
    return;
  }
  line(out, "heap_inuse", human_count(peak.heap_inuse) + " B");
  line(out, "taken", wall_time(peak.time_unix_ns));
  TextTable table({kRight, kRight, kRight});
  table.add_row({"BUCKET", "OBJECTS", "REQUESTED"});
  for (size_t i = 0; i < peak.buckets.size(); ++i) {
    if (peak.buckets[i].objects == 0) continue;
    table.add_row({std::to_string(i), human_count(peak.buckets[i].objects),
                   human_count(peak.buckets[i].requested)});
  }
  out << table.str();
}

void dump_samples(const Dump& dump, std::ostream& out) {
  TextTable table({kLeft, kRight, kRight, kRight, kRight, kRight, kRight, kRight, kLeft});
  table.add_row({"ADDRESS", "REQUESTED", "ALLOCATED", "PERIOD", "STACK", "BUCKET", "LABELS", "TID",
                 "TIME"});
  for (const LiveSample& sample : dump.reading.snapshot.live_samples) {
    table.add_row({hex(sample.address), human_count(sample.requested_bytes),
                   human_count(sample.allocated_bytes), human_count(sample.period),
                   std::to_string(sample.stack), std::to_string(sample.bucket),
                   label_set(sample.label_set), std::to_string(sample.tid),
                   wall_time(sample.time_unix_ns)});
  }
  out << table.str();
}

void dump_modules(const Dump& dump, std::ostream& out) {
  TextTable table({kLeft, kLeft, kLeft, kLeft, kLeft, kLeft});
  table.add_row({"START", "END", "OFFSET", "BIAS", "BUILD ID", "PATH"});
  for (const Module& module : dump.reading.snapshot.modules) {
    table.add_row({hex(module.start), hex(module.end), hex(module.file_offset),
                   hex(module.load_bias), module.build_id.empty() ? "-" : module.build_id,
                   module.path + (module.unloaded_unix_ns == 0 ? "" : " (unloaded)")});
  }
  out << table.str();
}

void dump_ring(const Dump& dump, std::ostream& out) {
  const ReadHealth& health = dump.reading.snapshot.health;
  out << human_count(health.ring_events) << " events written, " << human_count(health.ring_missed)
      << " of them overwritten\n";
  for (const Event& event : dump.reading.events) {
    out << event.sequence << "  " << wall_time(event.time_unix_ns) << "  " << event.tid << "  "
        << kind_of(event) << "  " << hex(event.a) << " " << event.b << " " << event.c << " "
        << hex(event.d) << " " << event.e << "\n";
  }
}

void dump_faults(const Dump& dump, std::ostream& out) {
  for (const Fault& fault : dump.reading.snapshot.faults) {
    out << wall_time(fault.time_unix_ns) << "  tid " << fault.tid << ", code " << fault.code
        << ", pointer " << hex(fault.address) << ", span " << hex(fault.span_base) << " ("
        << (fault.span_state <= UINT8_MAX ? span_state_name(static_cast<uint8_t>(fault.span_state))
                                          : "unknown")
        << "), class " << fault.size_class << ", object " << hex(fault.object_base) << "\n  "
        << escape_control(fault.message) << "\n";
  }
}

void dump_health(const Dump& dump, std::ostream& out) {
  const ReadHealth& health = dump.reading.snapshot.health;
  line(out, "torn records", human_count(health.torn_records));
  line(out, "corrupt records", human_count(health.corrupt_records));
  line(out, "dropped records", human_count(health.dropped_records));
  line(out, "corrupt events", human_count(health.ring_corrupt));
}

}  // namespace liballoc::agent
