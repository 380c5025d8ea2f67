// span_messages.cc - see span_messages.h. Must never wait.
#include "agent/messages/span_messages.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/text.h"
#include "agent/messages/convert.h"
#include "agent/model/address_map.h"
#include "agent/model/size_class_table.h"

namespace liballoc::agent {
namespace {

constexpr int64_t kMaxAgeSeconds = int64_t{10} * 366 * 24 * 3600;

Failure<Error> invalid(std::string message) {
  return failure(ErrorCode::kInvalidArgument, std::move(message));
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g", value);
  return text;
}

Result<double> fraction(const char* field, double value) {
  if (value >= 0 && value <= 1) return value;  // NaN is neither
  return invalid(std::string("filter.") + field + ": " + shown(value) +
                 " is not allowed; from 0 to 1 is");
}

Result<int64_t> min_age_ns(const google::protobuf::Duration& age) {
  const bool well_formed = age.seconds() >= 0 && age.nanos() >= 0 && age.nanos() < kNsPerSecond;
  if (well_formed && age.seconds() < kMaxAgeSeconds) {
    return age.seconds() * kNsPerSecond + age.nanos();
  }
  return invalid("filter.min_age: " + std::to_string(age.seconds()) + " s and " +
                 std::to_string(age.nanos()) + " ns is not allowed; from 0 s to 10 years is");
}

// Slot sizes next to one that is none, for the message that refuses it.
std::string nearest_sizes(const Snapshot& snapshot, uint32_t bytes) {
  uint32_t below = 0;
  uint32_t above = UINT32_MAX;
  for (const SizeClassStats& stats : snapshot.memstats.by_size) {
    if (stats.object_bytes < bytes) below = std::max(below, stats.object_bytes);
    if (stats.object_bytes > bytes) above = std::min(above, stats.object_bytes);
  }
  std::string out;
  if (below != 0) out += std::to_string(below) + ", ";
  if (above != UINT32_MAX) out += std::to_string(above) + ", ";
  return out + "or 0 for large objects";
}

// A page token names the question it belongs to, so that it cannot be put to another one.
uint64_t question_of(const Snapshot& snapshot, const pb::SpanFilter& filter) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : snapshot.identity.key + '\0' + filter.SerializeAsString()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

std::string page_token(uint64_t question, uint64_t last_base) {
  char text[40];
  std::snprintf(text, sizeof(text), "%016llx.%llx", static_cast<unsigned long long>(question),
                static_cast<unsigned long long>(last_base));
  return text;
}

bool parse_hex(std::string_view text, uint64_t* out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, 16);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// Base of the last span of the page before.
Result<uint64_t> position_of(const std::string& token, uint64_t question) {
  const size_t dot = token.find('.');
  uint64_t asked = 0;
  uint64_t base = 0;
  if (dot == std::string::npos || !parse_hex(std::string_view(token).substr(0, dot), &asked) ||
      !parse_hex(std::string_view(token).substr(dot + 1), &base)) {
    return invalid("page_token: \"" + escape_control(token.substr(0, 64)) +
                   "\" is none; give the next_page_token of the page before");
  }
  if (asked != question) {
    return invalid("page_token: it belongs to another process or filter; begin again without it");
  }
  return base;
}

pb::RunKind to_proto(RunKind kind) {
  switch (kind) {
    case RunKind::kInUse:
      return pb::RUN_KIND_IN_USE;
    case RunKind::kPageCached:
      return pb::RUN_KIND_PAGE_CACHED;
    case RunKind::kIdle:
      return pb::RUN_KIND_IDLE;
    case RunKind::kReleased:
      return pb::RUN_KIND_RELEASED;
    case RunKind::kUnknown:
      break;
  }
  return pb::RUN_KIND_UNKNOWN;
}

void to_proto(const ArenaMap& arena, bool with_runs, pb::Arena* out) {
  const auto pages = [&arena](RunKind kind) { return arena.pages[static_cast<size_t>(kind)]; };
  out->set_base(arena.base);
  out->set_in_use_pages(pages(RunKind::kInUse));
  out->set_page_cached_pages(pages(RunKind::kPageCached));
  out->set_idle_pages(pages(RunKind::kIdle));
  out->set_released_pages(pages(RunKind::kReleased));
  out->set_unknown_pages(pages(RunKind::kUnknown));
  out->set_spans(arena.spans);
  out->set_longest_free_pages(arena.longest_free_pages);
  if (!with_runs) return;
  for (const PageRun& run : arena.runs) {
    pb::PageRun* added = out->add_runs();
    added->set_first_page(run.first_page);
    added->set_pages(run.pages);
    added->set_kind(to_proto(run.kind));
  }
}

}  // namespace

void to_proto(const Snapshot& snapshot, const Span& span, pb::Span* out) {
  const bool slots = has_slots(span);
  out->set_base(span.base);
  out->set_pages(span.pages);
  out->set_bytes(span_bytes(snapshot, span));
  out->set_state(pb::SpanState_IsValid(span.state) ? static_cast<pb::SpanState>(span.state)
                                                   : pb::SPAN_STATE_UNSPECIFIED);
  out->set_size_class(slots ? span.size_class : 0);
  out->set_object_bytes(slots ? span.object_bytes : 0);
  out->set_objects(slots ? span.objects : 0);
  out->set_allocated(slots ? span.allocated : 0);
  out->set_occupancy(occupancy(span));
  out->set_owner_tid(span.owner_tid);
  if (span.changed_unix_ns != 0) to_proto(span.changed_unix_ns, out->mutable_change_time());
  if (span.unused_unix_ns != 0) to_proto(span.unused_unix_ns, out->mutable_unused_time());
  out->set_noscan((span.flags & LIBALLOC_SPAN_FLAG_NOSCAN) != 0);
  out->set_released((span.flags & LIBALLOC_SPAN_FLAG_SCAVENGED) != 0);
  out->set_need_zero((span.flags & LIBALLOC_SPAN_FLAG_NEED_ZERO) != 0);
  out->set_record(span.record);
}

Result<SpanFilter> span_filter(const Snapshot& snapshot, const pb::SpanFilter& filter) {
  SpanFilter out;
  for (const int state : filter.states()) {
    if (!pb::SpanState_IsValid(state) || state == pb::SPAN_STATE_UNSPECIFIED) {
      return invalid("filter.states: " + std::to_string(state) +
                     " is no state; SPAN_STATE_FREE (1) to SPAN_STATE_PAGE_CACHED (7) are allowed");
    }
    out.states |= 1u << state;
  }
  for (const uint32_t bytes : filter.object_bytes()) {
    if (!class_of_object_bytes(snapshot, bytes)) {
      return invalid("filter.object_bytes: " + std::to_string(bytes) +
                     " is the slot size of no class; near it are " +
                     nearest_sizes(snapshot, bytes));
    }
    out.object_bytes.push_back(bytes);
  }
  if (filter.has_min_occupancy()) {
    const Result<double> least = fraction("min_occupancy", filter.min_occupancy());
    if (!least) return failure(least.error());
    out.min_occupancy = *least;
  }
  if (filter.has_max_occupancy()) {
    const Result<double> most = fraction("max_occupancy", filter.max_occupancy());
    if (!most) return failure(most.error());
    out.max_occupancy = *most;
  }
  if (out.min_occupancy > out.max_occupancy) {
    return invalid("filter.min_occupancy: " + shown(out.min_occupancy) +
                   " is above max_occupancy, which is " + shown(out.max_occupancy));
  }
  const Result<int64_t> age = min_age_ns(filter.min_age());
  if (!age) return failure(age.error());
  out.min_age_ns = *age;
  return out;
}

std::vector<const Span*> matching_spans(const Snapshot& snapshot, const SpanFilter& filter) {
  std::vector<const Span*> spans = spans_by_address(snapshot);
  std::erase_if(spans,
                [&](const Span* span) { return !matches(filter, *span, snapshot.time_unix_ns); });
  return spans;
}

Status fill_span_page(const Snapshot& snapshot, const pb::ListSpansRequest& request,
                      pb::ListSpansResponse* response) {
  if (request.page_size() > kMaxPageSize) {
    return invalid("page_size: " + std::to_string(request.page_size()) +
                   " is not allowed; from 0 to " + std::to_string(kMaxPageSize) + " is");
  }
  const size_t page_size = request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  const Result<SpanFilter> filter = span_filter(snapshot, request.filter());
  if (!filter) return failure(filter.error());
  const uint64_t question = question_of(snapshot, request.filter());
  const std::vector<const Span*> spans = matching_spans(snapshot, *filter);
  auto next = spans.begin();
  if (!request.page_token().empty()) {
    const Result<uint64_t> last = position_of(request.page_token(), question);
    if (!last) return failure(last.error());
    next = std::upper_bound(next, spans.end(), *last,
                            [](uint64_t base, const Span* span) { return base < span->base; });
  }
  response->Clear();
  to_proto(snapshot, response->mutable_process());
  to_proto(snapshot.time_unix_ns, response->mutable_collect_time());
  response->set_total(spans.size());
  const auto left = static_cast<size_t>(spans.end() - next);
  const auto end = next + static_cast<std::ptrdiff_t>(std::min(left, page_size));
  for (; next != end; ++next) to_proto(snapshot, **next, response->add_spans());
  if (left > page_size) {
    response->set_next_page_token(page_token(question, (*(end - 1))->base));
  }
  return {};
}

void fill_size_classes(const Snapshot& snapshot, bool used_only,
                       pb::GetSizeClassesResponse* response) {
  response->Clear();
  to_proto(snapshot, response->mutable_process());
  to_proto(snapshot.time_unix_ns, response->mutable_collect_time());
  for (const SizeClassFigures& figures : size_class_figures(snapshot)) {
    const SizeClassStats& stats = snapshot.memstats.by_size[figures.size_class];
    if (used_only && stats.mallocs == 0 && figures.spans == 0) continue;
    pb::SizeClass* out = response->add_classes();
    out->set_size_class(figures.size_class);
    out->set_object_bytes(stats.object_bytes);
    out->set_span_pages(stats.span_pages);
    out->set_objects_per_span(stats.objects_per_span);
    out->set_spans(figures.spans);
    out->set_partial_spans(figures.partial_spans);
    out->set_full_spans(figures.full_spans);
    out->set_cached_spans(figures.cached_spans);
    out->set_span_bytes(figures.span_bytes);
    out->set_slots(figures.slots);
    out->set_live_objects(figures.live_objects);
    out->set_cached_slots(figures.cached_slots);
    out->set_free_slots(figures.free_slots);
    out->set_occupancy(figures.occupancy);
    out->set_live_bytes(stats.live_bytes);
    out->set_tail_waste_bytes(figures.tail_waste_bytes);
    if (figures.rounding_waste_bytes_estimate) {
      out->set_rounding_waste_bytes_estimate(*figures.rounding_waste_bytes_estimate);
    }
    out->set_samples(figures.samples);
    out->set_mallocs(stats.mallocs);
    out->set_frees(stats.frees);
  }
}

Status fill_address_map(const Snapshot& snapshot, const pb::GetAddressMapRequest& request,
                        pb::GetAddressMapResponse* response, size_t max_runs) {
  AddressMap map = address_map(snapshot);
  if (request.address() != 0) {
    const uint64_t base = request.address() / snapshot.arena_bytes * snapshot.arena_bytes;
    std::erase_if(map.arenas, [base](const ArenaMap& arena) { return arena.base != base; });
    if (map.arenas.empty()) {
      char text[32];
      std::snprintf(text, sizeof(text), "0x%llx",
                    static_cast<unsigned long long>(request.address()));
      return failure(ErrorCode::kNotFound,
                     std::string("address: no arena of this process has ") + text + " in it");
    }
  }
  size_t runs = 0;
  for (const ArenaMap& arena : map.arenas) runs += arena.runs.size();
  if (request.include_runs() && runs > max_runs) {
    return failure(ErrorCode::kResourceExhausted,
                   "include_runs: " + std::to_string(runs) + " runs in " +
                       std::to_string(map.arenas.size()) + " arenas are more than the " +
                       std::to_string(max_runs) + " allowed; give the address of one arena");
  }
  response->Clear();
  to_proto(snapshot, response->mutable_process());
  to_proto(snapshot.time_unix_ns, response->mutable_collect_time());
  for (const ArenaMap& arena : map.arenas) {
    to_proto(arena, request.include_runs(), response->add_arenas());
  }
  response->set_page_bytes(snapshot.page_bytes);
  response->set_arena_bytes(snapshot.arena_bytes);
  response->set_omitted_pages(map.omitted_pages);
  return {};
}

}  // namespace liballoc::agent
