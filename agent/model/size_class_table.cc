// size_class_table.cc - see size_class_table.h. Must never show a guess as a fact.
#include "agent/model/size_class_table.h"

#include <algorithm>

#include "agent/model/profile_math.h"
#include "agent/model/span_query.h"

namespace liballoc::agent {
namespace {

struct SampledBytes {
  double requested = 0;
  double allocated = 0;
  uint64_t samples = 0;
};

void add_span(const Snapshot& snapshot, const Span& span, SizeClassFigures& out,
              uint64_t& handed_out) {
  const uint64_t bytes = span_bytes(snapshot, span);
  out.spans += 1;
  out.span_bytes += bytes;
  if (span.state == LIBALLOC_SPAN_LARGE) {
    out.slots += 1;
    handed_out += 1;
    return;
  }
  out.partial_spans += span.state == LIBALLOC_SPAN_PARTIAL ? 1 : 0;
  out.full_spans += span.state == LIBALLOC_SPAN_FULL ? 1 : 0;
  out.cached_spans += span.state == LIBALLOC_SPAN_CACHED ? 1 : 0;
  out.slots += span.objects;
  handed_out += span.allocated;
  const uint64_t in_slots = uint64_t{span.objects} * span.object_bytes;
  out.tail_waste_bytes += bytes > in_slots ? bytes - in_slots : 0;
}

// A share from 0 to 1 of a count, which may be too large for a double to hold exactly.
uint64_t part_of(uint64_t whole, double share) {
  const double part = share * static_cast<double>(whole) + 0.5;
  return part >= static_cast<double>(whole) ? whole : static_cast<uint64_t>(part);
}

std::vector<SampledBytes> sampled_bytes(const Snapshot& snapshot, size_t classes) {
  std::vector<SampledBytes> out(classes);
  for (const Bucket& bucket : snapshot.buckets) {
    const size_t size_class = bucket.cache_class % LIBALLOC_ABI_SIZE_CLASSES;
    if (size_class >= classes || bucket.frees >= bucket.allocs) continue;
    SampledBytes& sum = out[size_class];
    const uint64_t live = bucket.allocs - bucket.frees;
    sum.samples += live;
    sum.requested += estimate_live_bytes(bucket);
    sum.allocated +=
        estimate_live_objects(bucket).value * static_cast<double>(bucket.allocated_bytes);
  }
  return out;
}

}  // namespace

std::vector<SizeClassFigures> size_class_figures(const Snapshot& snapshot) {
  const std::vector<SizeClassStats>& stats = snapshot.memstats.by_size;
  std::vector<SizeClassFigures> out(stats.size());
  std::vector<uint64_t> handed_out(stats.size(), 0);
  for (const Span& span : snapshot.spans) {
    if (!has_slots(span) && span.state != LIBALLOC_SPAN_LARGE) continue;
    const size_t size_class = span.state == LIBALLOC_SPAN_LARGE ? 0 : span.size_class;
    if (size_class >= out.size()) continue;
    add_span(snapshot, span, out[size_class], handed_out[size_class]);
  }
  const std::vector<SampledBytes> sampled = sampled_bytes(snapshot, out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    SizeClassFigures& figures = out[i];
    figures.size_class = static_cast<uint32_t>(i);
    figures.live_objects = stats[i].mallocs - std::min(stats[i].frees, stats[i].mallocs);
    // Counters and spans are read one after the other: clamp what may be some objects apart.
    const uint64_t taken = std::min(handed_out[i], figures.slots);
    figures.cached_slots = taken - std::min(figures.live_objects, taken);
    figures.free_slots = figures.slots - taken;
    if (figures.slots != 0) {
      figures.occupancy = std::min(
          1.0, static_cast<double>(figures.live_objects) / static_cast<double>(figures.slots));
    }
    figures.samples = sampled[i].samples;
    if (sampled[i].samples != 0 && sampled[i].allocated > 0) {
      // The samples tell the share that is waste, the counters exactly of how much.
      const double share = std::clamp(1 - sampled[i].requested / sampled[i].allocated, 0.0, 1.0);
      figures.rounding_waste_bytes_estimate = part_of(stats[i].live_bytes, share);
    }
  }
  return out;
}

}  // namespace liballoc::agent
