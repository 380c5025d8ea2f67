// heap_profile.cc - see heap_profile.h.
#include "agent/pprof/heap_profile.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "agent/pprof/allocator_frames.h"
#include "agent/pprof/gzip.h"
#include "agent/pprof/heap_samples.h"
#include "agent/pprof/heap_text.h"
#include "agent/pprof/pc_table.h"
#include "agent/pprof/profile_builder.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kNoId = 0;
constexpr std::string_view kObjectBytesKey = "bytes";

// Readers expect one value per key, and keep a prefix to themselves. The library refuses such keys;
// a segment may have them all the same.
bool may_be_a_key(std::string_view key) {
  return key != kObjectBytesKey && !key.starts_with("pprof::");
}

std::string_view name_of(ProfileKind kind) {
  switch (kind) {
    case ProfileKind::kHeap: return "heap";
    case ProfileKind::kAllocs: return "allocs";
    case ProfileKind::kPeakHeap: break;
  }
  return "peakheap";
}

// The process as if its buckets had been read at the peak.
Snapshot at_peak(const Snapshot& snapshot) {
  Snapshot peak = snapshot;
  if (snapshot.peak.heap_inuse != 0) peak.time_unix_ns = snapshot.peak.time_unix_ns;
  for (size_t i = 0; i < peak.buckets.size(); ++i) {
    const PeakProfile::InUse was =
        i < snapshot.peak.buckets.size() ? snapshot.peak.buckets[i] : PeakProfile::InUse{};
    Bucket& bucket = peak.buckets[i];
    bucket.allocs = was.objects;
    bucket.alloc_requested = was.requested;
    bucket.frees = bucket.free_requested = 0;
  }
  return peak;
}

int64_t to_int64(uint64_t value) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return value > static_cast<uint64_t>(kMax) ? kMax : static_cast<int64_t>(value);
}

// Writes mappings and locations on first use, so that the ids of what is written have no gaps.
class LocationWriter {
 public:
  LocationWriter(const PcTable& pcs, ProfileBuilder& builder)
      : pcs_(pcs),
        builder_(builder),
        location_ids_(pcs.pcs().size(), kNoId),
        mapping_ids_(pcs.mappings().size(), kNoId),
        symbols_(pcs.mappings().size(), {true, true, true, false}) {
    (void)mapping_id(0);
  }

  uint64_t location_id(uint32_t pc_index) {
    uint64_t& id = location_ids_[pc_index];
    if (id != kNoId) return id;
    const PcInfo& pc = pcs_.at(pc_index);
    const uint64_t mapping = mapping_id(pc.mapping);
    std::vector<ProfileBuilder::Line> lines;
    lines.reserve(pc.frames.size());
    ProfileBuilder::MappingSymbols& have = symbols_[pc.mapping];
    have.functions = have.functions && !pc.frames.empty();
    have.inline_frames = have.inline_frames || pc.frames.size() > 1;
    for (const SourceFrame& f : pc.frames) {
      const std::string& system_name = f.system_name.empty() ? f.function : f.system_name;
      lines.push_back(
          {builder_.intern_function(f.function, system_name, f.file, f.start_line), f.line});
      have.filenames = have.filenames && !f.file.empty();
      have.line_numbers = have.line_numbers && f.line != 0;
    }
    id = builder_.add_location(mapping, pc.call, lines);
    used_.push_back(pc.mapping);
    return id;
  }

  // A location for a sample whose stack is empty: readers drop samples without any location.
  uint64_t unknown_location_id() {
    if (unknown_ != kNoId) return unknown_;
    const uint64_t mapping = builder_.add_mapping({0, 0, 0, "[anon]", ""});
    builder_.set_mapping_symbols(mapping, {true, false, false, false});
    const uint64_t function = builder_.intern_function("[no stack]", "[no stack]", "", 0);
    unknown_ = builder_.add_location(mapping, 0, {{function, 0}});
    return unknown_;
  }

  void finish() {
    for (uint32_t m : used_) {
      ProfileBuilder::MappingSymbols have = symbols_[m];
      if (!have.functions) have = {};
      builder_.set_mapping_symbols(mapping_ids_[m], have);
    }
  }

 private:
  uint64_t mapping_id(uint32_t index) {
    uint64_t& id = mapping_ids_[index];
    if (id == kNoId) {
      const PcMapping& m = pcs_.mappings()[index];
      id = builder_.add_mapping({m.start, m.end, m.file_offset, m.path, m.build_id});
    }
    return id;
  }

  const PcTable& pcs_;
  ProfileBuilder& builder_;
  std::vector<uint64_t> location_ids_, mapping_ids_;
  std::vector<ProfileBuilder::MappingSymbols> symbols_;
  std::vector<uint32_t> used_;  // mappings with a location, repeated
  uint64_t unknown_ = kNoId;
};

void add_comments(const Snapshot& snapshot, ProfileBuilder& builder) {
  const ProcessIdentity& who = snapshot.identity;
  const ReadHealth& health = snapshot.health;
  const auto number = [](uint64_t n) { return std::to_string(n); };
  builder.add_comment("target: " + who.key + " pid=" + number(who.pid) +
                      " executable=" + who.executable + " service=" + who.service);
  builder.add_comment("sampling: period_bytes=" + number(snapshot.memstats.sample_period) +
                      " samples_taken=" + number(snapshot.memstats.samples_taken) +
                      " samples_live=" + number(snapshot.memstats.samples_live));
  builder.add_comment("lost: dropped_records=" + number(health.dropped_records) +
                      " torn_records=" + number(health.torn_records) +
                      " corrupt_records=" + number(health.corrupt_records));
  builder.add_comment("epoch: " + number(snapshot.memstats.epoch));
  builder.add_comment("liballoc: " + who.liballoc_version);
}

// `snapshot` is the one whose modules, time and figures the profile carries.
EncodedProfile encode(const Snapshot& snapshot, ProfileKind kind, PcTable& pcs,
                      const HeapSamples& heap, int64_t duration_ns, std::string filename) {
  pcs.close();
  ProfileBuilder builder;
  builder.add_sample_type("alloc_objects", "count");
  builder.add_sample_type("alloc_space", "bytes");
  builder.add_sample_type("inuse_objects", "count");
  builder.add_sample_type("inuse_space", "bytes");
  builder.set_period("space", "bytes", to_int64(snapshot.memstats.sample_period));
  builder.set_time(snapshot.time_unix_ns, duration_ns);
  builder.set_default_sample_type(kind == ProfileKind::kAllocs ? "alloc_space" : "");
  builder.set_drop_frames(drop_frames_regexp());
  add_comments(snapshot, builder);
  LocationWriter locations(pcs, builder);
  std::vector<uint64_t> ids;
  std::vector<int64_t> values(HeapSamples::kColumns);
  std::vector<ProfileBuilder::Label> labels;
  for (const HeapSamples::Sample& sample : heap.samples()) {
    std::transform(sample.values.begin(), sample.values.end(), values.begin(), round_estimate);
    if (std::all_of(values.begin(), values.end(), [](int64_t v) { return v == 0; })) continue;
    ids.clear();
    for (uint32_t pc : heap.trace(sample.trace)) ids.push_back(locations.location_id(pc));
    if (ids.empty()) ids.push_back(locations.unknown_location_id());
    labels.assign({{kObjectBytesKey, "", "bytes", to_int64(sample.object_bytes)}});
    for (const auto& [key, value] : heap.label_set(sample.label_set)) {
      if (may_be_a_key(key) && !value.empty()) labels.push_back({key, value, "", 0});
    }
    builder.add_sample(ids, values, labels);
  }
  locations.finish();
  return {gzip_compress(builder.finish()), "application/octet-stream", std::move(filename)};
}

}  // namespace

EncodedProfile encode_profile(const Snapshot& now, ProfileKind kind, const ProfileOptions& options,
                              SymbolSource* symbols) {
  const bool at_the_peak = kind == ProfileKind::kPeakHeap;
  const Snapshot& snapshot = at_the_peak ? at_peak(now) : now;
  PcTable pcs(snapshot, options.symbolize ? symbols : nullptr);
  if (options.debug > 0) {
    return {heap_text(snapshot, pcs), "text/plain; charset=utf-8", std::string(name_of(kind))};
  }
  HeapSamples heap(pcs);
  heap.add(snapshot, 1);
  return encode(snapshot, kind, pcs, heap, 0, std::string(name_of(kind)));
}

EncodedProfile encode_delta(const Snapshot& before, const Snapshot& after, ProfileKind kind,
                            const ProfileOptions& options, SymbolSource* symbols) {
  PcTable pcs(after, options.symbolize ? symbols : nullptr);
  HeapSamples heap(pcs);
  heap.add(after, 1);
  heap.add(before, -1);
  return encode(after, kind, pcs, heap, after.time_unix_ns - before.time_unix_ns,
                std::string(name_of(kind)) + "-delta");
}

}  // namespace liballoc::agent
