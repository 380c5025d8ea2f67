// segment_reader.cc - see segment_reader.h. Must never touch a byte but through table.h, layout.h
// and ring_reader.h.
#include "agent/reader/segment_reader.h"

#include <utility>

#include "agent/reader/counter_math.h"
#include "agent/reader/decode.h"
#include "agent/reader/limits.h"
#include "agent/reader/table.h"

namespace liballoc::agent {
namespace {

std::string main_build_id(const ProcessIdentity& identity, const std::vector<Module>& modules) {
  for (const Module& module : modules) {
    if (!identity.executable.empty() && module.path == identity.executable) return module.build_id;
  }
  return {};
}

// Whole pages, and few enough that their number fits in 32 bits.
bool believable_arena(const liballoc_abi_header& header) {
  return header.arena_bytes >= header.page_bytes && header.arena_bytes % header.page_bytes == 0 &&
         header.arena_bytes <= limits::kMaxArenaBytes;
}

// Moves the records out and the counts into the snapshot's health.
template <typename T>
std::vector<T> take(Table<T>&& table, ReadHealth& health) {
  health.torn_records += table.torn;
  health.dropped_records = saturating_add(health.dropped_records, table.dropped);
  return std::move(table.records);
}

// Gives up the reading when one of its parts cannot be read.
#define LIBALLOC_READ(name, expression)                      \
  auto name##_result = (expression);                         \
  if (!name##_result) return failure(name##_result.error()); \
  auto name = std::move(*name##_result)

}  // namespace

ReadResult<Layout> SegmentReader::load_layout(const ByteSource& source) const {
  auto layout = read_layout(source);
  if (!layout) return layout;
  const liballoc_abi_header& header = layout->header;
  if (header.pid != name_.pid || header.start_ticks != name_.start_ticks) {
    return reject(Reject::kNameMismatch, "the header says " +
                                             SegmentName{header.pid, header.start_ticks, 0}.text() +
                                             ", the file is " + name_.text());
  }
  return layout;
}

ReadResult<liballoc_abi_memstats> SegmentReader::load_memstats(const ByteSource& source,
                                                               const Layout& layout,
                                                               bool writer_alive,
                                                               ReadHealth& health) {
  const Section& section = layout.section(LIBALLOC_SECTION_MEMSTATS);
  LIBALLOC_READ(table, (read_table<liballoc_abi_memstats, true>(source, section, 1, writer_alive)));
  const bool torn = table.torn != 0;
  liballoc_abi_memstats record = take(std::move(table), health).front();
  if (!torn) {
    last_memstats_ = record;
    return record;
  }
  if (last_memstats_) return *last_memstats_;
  // Nothing better is known, and each single word is one that the writer wrote: better than zeros.
  LIBALLOC_READ(raw, (read_table<liballoc_abi_memstats, false>(source, section, 1)));
  return raw.records.front();
}

// Two peaks fit into the table, so the records of one are whole for as long as memstats do not show the one after the next.
ReadResult<PeakProfile> SegmentReader::load_peak(const ByteSource& source, const Layout& layout,
                                                 liballoc_abi_memstats memstats, bool writer_alive,
                                                 const WallClock& clock, ReadHealth& health) {
  for (int tries = 0; memstats.peak_generation != 0 && tries < limits::kPeakRetries; ++tries) {
    PeakProfile peak;
    const uint64_t generation = memstats.peak_generation;
    peak.heap_inuse = memstats.peak_profile_inuse;
    peak.time_unix_ns = clock.to_unix_ns(memstats.peak_profile_ns);
    LIBALLOC_READ(fresh, load_layout(source));
    LIBALLOC_READ(table, (read_table<liballoc_abi_peak, false>(
                             source, fresh.section(LIBALLOC_SECTION_PEAK), limits::kMaxBuckets)));
    const std::vector<liballoc_abi_peak> records = std::move(table.records);
    peak.buckets.reserve(records.size());
    for (const liballoc_abi_peak& record : records) {
      const bool counts = record.generation[generation % 2] == generation;
      peak.buckets.push_back(counts ? PeakProfile::InUse{record.objects[generation % 2],
                                                         record.requested[generation % 2]}
                                    : PeakProfile::InUse{});
    }
    LIBALLOC_READ(after, load_memstats(source, layout, writer_alive, health));
    // The next one may be being written into the other half already, the one after that not.
    if (after.peak_generation == generation) {
      health.dropped_records = saturating_add(health.dropped_records, table.dropped);
      last_peak_ = std::move(peak);
      break;
    }
    memstats = after;
  }
  return last_peak_;
}

ReadResult<SegmentReading> SegmentReader::read(const ByteSource& source, bool writer_alive,
                                               int64_t now_unix_ns) {
  SegmentReading reading;
  Snapshot& snapshot = reading.snapshot;
  ReadHealth& health = snapshot.health;
  LIBALLOC_READ(layout, load_layout(source));
  const WallClock clock(layout.header);
  const auto section = [&layout](liballoc_abi_kind kind) -> const Section& {
    return layout.section(kind);
  };

  LIBALLOC_READ(identity, (read_table<liballoc_abi_identity, false>(
                              source, section(LIBALLOC_SECTION_IDENTITY), 1)));
  LIBALLOC_READ(classes,
                (read_table<liballoc_abi_size_class, false>(
                    source, section(LIBALLOC_SECTION_SIZE_CLASSES), LIBALLOC_ABI_SIZE_CLASSES)));
  LIBALLOC_READ(memstats, load_memstats(source, layout, writer_alive, health));
  LIBALLOC_READ(threads, (read_table<liballoc_abi_thread, false>(
                             source, section(LIBALLOC_SECTION_THREADS), limits::kMaxThreads)));
  LIBALLOC_READ(spans, spans_.read(source, section(LIBALLOC_SECTION_SPANS), clock, writer_alive,
                                   health));
  LIBALLOC_READ(modules, (read_table<liballoc_abi_module, false>(
                             source, section(LIBALLOC_SECTION_MODULES), limits::kMaxModules)));
  LIBALLOC_READ(faults, (read_table<liballoc_abi_fault, false>(
                            source, section(LIBALLOC_SECTION_FAULTS), limits::kMaxFaults)));
  LIBALLOC_READ(samples,
                (read_table<liballoc_abi_sample, true>(source, section(LIBALLOC_SECTION_SAMPLES),
                                                       limits::kMaxSamples, writer_alive)));
  // Events wait in a member until the whole reading has succeeded: a drained event is never lost to
  // a later error.
  const uint64_t ring_corrupt_before = ring_.corrupt();
  bool drained = false;
  if (pending_events_.size() < limits::kMaxEventsPerDrain) {
    LIBALLOC_READ(at_head, ring_.drain(source, layout, pending_events_));
    drained = at_head;
  }
  const uint64_t ring_head = section(LIBALLOC_SECTION_RING).extents.empty()
                                 ? 0
                                 : section(LIBALLOC_SECTION_RING).extents.front().count;

  LIBALLOC_READ(peak, load_peak(source, layout, memstats, writer_alive, clock, health));

  // From here on each table must be at least as new as what refers to it.
  LIBALLOC_READ(layout_for_buckets, load_layout(source));
  LIBALLOC_READ(buckets, (read_table<liballoc_abi_bucket, false>(
                             source, layout_for_buckets.section(LIBALLOC_SECTION_BUCKETS),
                             limits::kMaxBuckets)));
  LIBALLOC_READ(layout_for_stacks, load_layout(source));
  LIBALLOC_READ(
      stacks, (read_table<liballoc_abi_stack, false>(
                  source, layout_for_stacks.section(LIBALLOC_SECTION_STACKS), limits::kMaxStacks)));
  LIBALLOC_READ(label_sets,
                (read_table<liballoc_abi_label_set, false>(
                    source, layout_for_stacks.section(LIBALLOC_SECTION_LABEL_SETS),
                    limits::kMaxLabelSets)));
  LIBALLOC_READ(layout_for_frames, load_layout(source));
  LIBALLOC_READ(
      frames, (read_table<liballoc_abi_frame, false>(
                  source, layout_for_frames.section(LIBALLOC_SECTION_FRAMES), limits::kMaxFrames)));
  LIBALLOC_READ(
      labels, (read_table<liballoc_abi_label, false>(
                  source, layout_for_frames.section(LIBALLOC_SECTION_LABELS), limits::kMaxLabels)));

  snapshot.time_unix_ns = now_unix_ns;
  snapshot.page_bytes = layout.header.page_bytes;
  if (believable_arena(layout.header)) {
    snapshot.arena_bytes = layout.header.arena_bytes;
  } else {
    ++health.corrupt_records;
  }
  snapshot.identity = decode_identity(layout.header, take(std::move(identity), health).front());
  snapshot.identity.key = key_;
  snapshot.modules = decode_modules(take(std::move(modules), health), clock, health);
  snapshot.identity.build_id = main_build_id(snapshot.identity, snapshot.modules);
  snapshot.spans = spans;
  const std::vector<liballoc_abi_stack> stack_records = take(std::move(stacks), health);
  snapshot.faults = decode_faults(take(std::move(faults), health), stack_records.size(), clock);
  const std::vector<liballoc_abi_label> label_records = take(std::move(labels), health);
  snapshot.label_sets =
      decode_label_sets(take(std::move(label_sets), health), label_records, health);
  DecodedProfile profile = decode_profile(
      stack_records, take(std::move(frames), health), take(std::move(buckets), health),
      take(std::move(samples), health), snapshot.label_sets.size(), clock, health);
  snapshot.stacks = std::move(profile.stacks);
  snapshot.buckets = std::move(profile.buckets);
  // Read after the buckets, so that it may know newer ones.
  if (peak.buckets.size() > snapshot.buckets.size()) peak.buckets.resize(snapshot.buckets.size());
  snapshot.peak = std::move(peak);
  snapshot.live_samples = std::move(profile.live_samples);
  const std::vector<liballoc_abi_size_class> class_records = take(std::move(classes), health);
  const std::vector<liballoc_abi_thread> thread_records = take(std::move(threads), health);
  snapshot.memstats = memstats_.build(
      {class_records, thread_records, memstats, snapshot.spans, snapshot.buckets}, clock, health);
  const bool first = ++epoch_ == 1;
  snapshot.memstats.epoch = epoch_;
  snapshot.memstats.time_unix_ns = now_unix_ns;
  health.ring_events = ring_head;
  health.ring_read = ring_.position();
  health.ring_missed = ring_.missed();
  if (first) missed_at_first_ = health.ring_missed;
  snapshot.ring_missed_at_first = missed_at_first_;
  health.ring_corrupt = ring_.corrupt();
  health.corrupt_records =
      saturating_add(health.corrupt_records, ring_.corrupt() - ring_corrupt_before);
  health.growth_failures = layout.header.growth_failures;

  reading.events = std::exchange(pending_events_, {});
  reading.ring_drained = drained;
  reading.exit_state = layout.header.exit_state;
  reading.exit_time_unix_ns = clock.to_unix_ns(layout.header.exit_monotonic_ns);
  reading.last_update_unix_ns = clock.to_unix_ns(memstats.updated_ns);
  return reading;
}

#undef LIBALLOC_READ

}  // namespace liballoc::agent
