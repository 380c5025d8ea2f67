// span_query.cc - see span_query.h. Must never add to an address without a clamp.
#include "agent/model/span_query.h"

#include <algorithm>
#include <array>

namespace liballoc::agent {
namespace {

// Address behind the span; the highest address when it would lie beyond.
uint64_t end_of(const Snapshot& snapshot, const Span& span) {
  const uint64_t bytes = span_bytes(snapshot, span);
  return bytes > UINT64_MAX - span.base ? UINT64_MAX : span.base + bytes;
}

}  // namespace

std::string_view span_state_name(uint8_t state) {
  constexpr std::array<std::string_view, 8> kNames = {"dead",   "free",  "partial", "full",
                                                      "cached", "large", "manual",  "page-cached"};
  return state < kNames.size() ? kNames[state] : "unknown";
}

bool has_slots(const Span& span) {
  return span.state == LIBALLOC_SPAN_PARTIAL || span.state == LIBALLOC_SPAN_FULL ||
         span.state == LIBALLOC_SPAN_CACHED;
}

double occupancy(const Span& span) {
  if (span.state == LIBALLOC_SPAN_LARGE || span.state == LIBALLOC_SPAN_MANUAL) return 1;
  if (!has_slots(span) || span.objects == 0) return 0;
  return std::min(1.0, static_cast<double>(span.allocated) / static_cast<double>(span.objects));
}

uint64_t span_bytes(const Snapshot& snapshot, const Span& span) {
  return uint64_t{span.pages} * snapshot.page_bytes;  // two numbers of 32 bits: cannot wrap
}

bool matches(const SpanFilter& filter, const Span& span, int64_t read_unix_ns) {
  if (filter.states != 0 && (span.state >= 32 || (filter.states >> span.state & 1) == 0)) {
    return false;
  }
  if (!filter.object_bytes.empty()) {
    if (!has_slots(span) && span.state != LIBALLOC_SPAN_LARGE) return false;
    const uint32_t bytes = has_slots(span) ? span.object_bytes : 0;
    if (std::find(filter.object_bytes.begin(), filter.object_bytes.end(), bytes) ==
        filter.object_bytes.end()) {
      return false;
    }
  }
  const double full = occupancy(span);
  if (full < filter.min_occupancy || full > filter.max_occupancy) return false;
  if (filter.min_age_ns == 0) return true;
  // Both are times after 1970 or 0, so the difference cannot wrap.
  return span.changed_unix_ns != 0 && read_unix_ns - span.changed_unix_ns >= filter.min_age_ns;
}

std::vector<const Span*> spans_by_address(const Snapshot& snapshot) {
  std::vector<const Span*> sorted;
  sorted.reserve(snapshot.spans.size());
  for (const Span& span : snapshot.spans) sorted.push_back(&span);
  std::sort(sorted.begin(), sorted.end(), [](const Span* a, const Span* b) {
    return a->base != b->base ? a->base < b->base : a->record < b->record;
  });
  std::vector<const Span*> out;
  out.reserve(sorted.size());
  for (const Span* span : sorted) {
    bool newest = true;
    while (newest && !out.empty() && end_of(snapshot, *out.back()) > span->base) {
      newest = span->changed_unix_ns >= out.back()->changed_unix_ns;
      if (newest) out.pop_back();
    }
    if (newest) out.push_back(span);
  }
  return out;
}

std::optional<uint32_t> class_of_object_bytes(const Snapshot& snapshot, uint32_t object_bytes) {
  if (object_bytes == 0) return 0;
  const auto& classes = snapshot.memstats.by_size;
  for (size_t i = 1; i < classes.size(); ++i) {
    if (classes[i].object_bytes == object_bytes) return static_cast<uint32_t>(i);
  }
  return std::nullopt;
}

uint32_t object_bytes_of_class(const Snapshot& snapshot, uint64_t size_class) {
  const auto& classes = snapshot.memstats.by_size;
  return size_class < classes.size() ? classes[size_class].object_bytes : 0;
}

}  // namespace liballoc::agent
