// heap_text.cc - see heap_text.h.
#include "agent/pprof/heap_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/text.h"
#include "agent/model/profile_math.h"
#include "agent/pprof/heap_samples.h"

namespace liballoc::agent {
namespace {

std::string hex(uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

struct Counts {
  int64_t inuse_objects = 0, inuse_bytes = 0, alloc_objects = 0, alloc_bytes = 0;

  void append_to(std::string& out) const {
    out += std::to_string(inuse_objects) + ": " + std::to_string(inuse_bytes) + " [" +
           std::to_string(alloc_objects) + ": " + std::to_string(alloc_bytes) + "]";
  }
};

int64_t saturating_add(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

// What a sampler with `period` would be expected to have seen of this sample's estimated objects.
Counts sampled_counts(const HeapSamples::Sample& sample, uint64_t period) {
  const double weight = sample_weight(sample.object_bytes, period);
  const double bytes = static_cast<double>(sample.object_bytes);
  const double inuse = sample.values[HeapSamples::kInuseObjects] / weight;
  const double alloc = sample.values[HeapSamples::kAllocObjects] / weight;
  return {round_estimate(inuse), round_estimate(inuse * bytes), round_estimate(alloc),
          round_estimate(alloc * bytes)};
}

void append_frames(const PcInfo& pc, std::string& out) {
  for (const SourceFrame& f : pc.frames) {
    out += "#\t" + hex(pc.pc) + "\t" + escape_control(f.function) + "\t" +
           escape_control(f.file) + ":" + std::to_string(f.line) + "\n";
  }
}

void append_memstats(const Snapshot& snapshot, std::string& out) {
  const MemStats& m = snapshot.memstats;
  const std::pair<const char*, uint64_t> figures[] = {
      {"Alloc", m.alloc},
      {"TotalAlloc", m.total_alloc},
      {"Sys", m.sys},
      {"Mallocs", m.mallocs},
      {"Frees", m.frees},
      {"HeapAlloc", m.heap_alloc},
      {"HeapSys", m.heap_sys},
      {"HeapIdle", m.heap_idle},
      {"HeapInuse", m.heap_inuse},
      {"HeapReleased", m.heap_released},
      {"HeapObjects", m.heap_objects},
      {"SamplePeriod", m.sample_period},
      {"SamplesTaken", m.samples_taken},
      {"DroppedRecords", snapshot.health.dropped_records},
  };
  out += "\n# MemStats of " + escape_control(snapshot.identity.key) + "\n";
  for (const auto& [name, value] : figures) {
    out += "# " + std::string(name) + " = " + std::to_string(value) + "\n";
  }
}

// In the form of /proc/PID/maps, which the readers of this format take their mappings from.
void append_mapped_libraries(const PcTable& pcs, std::string& out) {
  out += "\nMAPPED_LIBRARIES:\n";
  for (const PcMapping& m : pcs.mappings()) {
    if (m.end <= m.start) continue;
    std::array<char, 96> range{};
    std::snprintf(range.data(), range.size(), "%08llx-%08llx r-xp %08llx 00:00 0 ",
                  static_cast<unsigned long long>(m.start), static_cast<unsigned long long>(m.end),
                  static_cast<unsigned long long>(m.file_offset));
    out += std::string(range.data()) + escape_control(m.path) + "\n";
  }
}

}  // namespace

std::string heap_text(const Snapshot& snapshot, PcTable& pcs) {
  HeapSamples heap(pcs);
  heap.add(snapshot, 1);
  pcs.close();
  const uint64_t period = std::max<uint64_t>(snapshot.memstats.sample_period, 1);
  Counts total;
  std::string records;
  for (const HeapSamples::Sample& sample : heap.samples()) {
    const Counts counts = sampled_counts(sample, period);
    if (counts.alloc_objects == 0) continue;
    total.inuse_objects = saturating_add(total.inuse_objects, counts.inuse_objects);
    total.inuse_bytes = saturating_add(total.inuse_bytes, counts.inuse_bytes);
    total.alloc_objects = saturating_add(total.alloc_objects, counts.alloc_objects);
    total.alloc_bytes = saturating_add(total.alloc_bytes, counts.alloc_bytes);
    counts.append_to(records);
    records += " @";
    for (uint32_t pc : heap.trace(sample.trace)) records += " " + hex(pcs.at(pc).pc);
    records += "\n";
    for (uint32_t pc : heap.trace(sample.trace)) append_frames(pcs.at(pc), records);
    records += "\n";
  }
  // Readers take a header whose two halves are equal for a profile without allocation figures.
  if (total.inuse_objects == total.alloc_objects && total.inuse_bytes == total.alloc_bytes) {
    total.alloc_objects = saturating_add(total.alloc_objects, 1);
  }
  std::string out = "heap profile: ";
  total.append_to(out);
  // Twice the period: what the first C++ heap profiler wrote, and readers have halved since.
  out += " @ heap/" + std::to_string(period > UINT64_MAX / 2 ? UINT64_MAX : 2 * period) + "\n";
  out += records;
  append_memstats(snapshot, out);
  append_mapped_libraries(pcs, out);
  return out;
}

}  // namespace liballoc::agent
