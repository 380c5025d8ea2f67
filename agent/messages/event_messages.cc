// event_messages.cc - see event_messages.h. Must never index anything by a word of an event.
#include "agent/messages/event_messages.h"

#include <algorithm>
#include <optional>
#include <string>

#include "agent/messages/convert.h"
#include "agent/model/span_query.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kMaxAgeNs = uint64_t{100} * 366 * 24 * 3600 * kNsPerSecond;

bool is_sample(uint32_t kind) {
  return kind == LIBALLOC_EVENT_SAMPLE || kind == LIBALLOC_EVENT_SAMPLE_FREE;
}
bool is_span(uint32_t kind) {
  return kind >= LIBALLOC_EVENT_SPAN_ALLOC && kind <= LIBALLOC_EVENT_SPAN_REUSE;
}

// The slot size that an event is about; nothing where it is about none.
std::optional<uint32_t> object_bytes_of(const Snapshot& snapshot, const Event& event) {
  if (is_span(event.kind)) return object_bytes_of_class(snapshot, event.d & 0xff);
  if (!is_sample(event.kind)) return std::nullopt;
  const bool small =
      event.c <= UINT32_MAX && class_of_object_bytes(snapshot, static_cast<uint32_t>(event.c));
  return small ? static_cast<uint32_t>(event.c) : 0;
}

// Null where the snapshot does not know the bucket, whose record number + 1 is given.
const LabelSet* labels_of_bucket(const Snapshot& snapshot, uint64_t number) {
  if (number == 0 || number > snapshot.buckets.size()) return nullptr;
  const uint32_t set = snapshot.buckets[number - 1].label_set;
  return set < snapshot.label_sets.size() ? &snapshot.label_sets[set] : nullptr;
}

void fill(const Snapshot& snapshot, const Event& event, pb::SampleEvent* out) {
  out->set_address(event.a);
  out->set_requested_bytes(event.b);
  out->set_allocated_bytes(event.c);
  out->set_stack(static_cast<uint32_t>(event.d));
  if (const LabelSet* const labels = labels_of_bucket(snapshot, event.d >> 32)) {
    for (const auto& [key, value] : *labels) (*out->mutable_labels())[key] = value;
  }
  if (event.kind == LIBALLOC_EVENT_SAMPLE) {
    out->set_period_bytes(event.e);
    return;
  }
  const uint64_t age = std::min(event.e, kMaxAgeNs);
  out->mutable_age()->set_seconds(static_cast<int64_t>(age) / kNsPerSecond);
  out->mutable_age()->set_nanos(static_cast<int32_t>(static_cast<int64_t>(age) % kNsPerSecond));
}

void fill(const Snapshot& snapshot, const Event& event, pb::SpanEvent* out) {
  out->set_base(event.a);
  out->set_pages(event.b);
  out->set_record(event.c);
  out->set_size_class(static_cast<uint32_t>(event.d & 0xff));
  out->set_object_bytes(object_bytes_of_class(snapshot, event.d & 0xff));
  out->set_released((event.d >> 8 & LIBALLOC_SPAN_FLAG_SCAVENGED) != 0);
  switch (event.kind) {
    case LIBALLOC_EVENT_SPAN_CACHE:
    case LIBALLOC_EVENT_SPAN_UNCACHE:
      return out->set_allocated(event.e);
    case LIBALLOC_EVENT_SPAN_SWEEP:
      return out->set_swept(event.e);
    case LIBALLOC_EVENT_SPAN_SPLIT:
    case LIBALLOC_EVENT_SPAN_MERGE:
      return out->set_other_pages(event.e);
    case LIBALLOC_EVENT_SPAN_SCAVENGE:
      return out->set_released_bytes(event.e);
    default:
      return;
  }
}

void fill(const Event& event, pb::HeapEvent* out) {
  if (event.kind == LIBALLOC_EVENT_HEAP_GROW) {
    out->set_address(event.a);
    out->set_grown_bytes(event.b);
    out->set_heap_sys(event.c);
    out->set_stack(static_cast<uint32_t>(event.d));
  } else if (event.kind == LIBALLOC_EVENT_HEAP_PEAK) {
    out->set_heap_bytes(event.a);
  } else {
    out->set_limit_bytes(event.a);
    out->set_heap_bytes(event.b);
  }
}

}  // namespace

Result<EventFilter> event_filter(const Snapshot* snapshot,
                                 const google::protobuf::RepeatedField<int>& kinds,
                                 const google::protobuf::RepeatedField<uint32_t>& object_bytes) {
  EventFilter out;
  for (const int kind : kinds) {
    if (!pb::EventKind_IsValid(kind) || kind == pb::EVENT_KIND_UNSPECIFIED) {
      return failure(ErrorCode::kInvalidArgument,
                     "kinds: " + std::to_string(kind) + " is no kind; EVENT_KIND_SAMPLE (1) to " +
                         pb::EventKind_Name(pb::EventKind_MAX) + " (" +
                         std::to_string(pb::EventKind_MAX) + ") are allowed");
    }
    out.kinds.insert(static_cast<uint32_t>(kind));
  }
  for (const uint32_t bytes : object_bytes) {
    if (snapshot != nullptr && !class_of_object_bytes(*snapshot, bytes)) {
      return failure(ErrorCode::kInvalidArgument,
                     "object_bytes: " + std::to_string(bytes) +
                         " is the slot size of no class; GetSizeClasses lists them, and 0 stands "
                         "for large objects");
    }
    out.object_bytes.push_back(bytes);
  }
  return out;
}

bool matches(const EventFilter& filter, const Snapshot& snapshot, const Event& event) {
  if (!filter.kinds.empty() && !filter.kinds.contains(event.kind)) return false;
  if (filter.object_bytes.empty()) return true;
  const std::optional<uint32_t> bytes = object_bytes_of(snapshot, event);
  return bytes && std::find(filter.object_bytes.begin(), filter.object_bytes.end(), *bytes) !=
                      filter.object_bytes.end();
}

void to_proto(const Snapshot& snapshot, const Event& event, pb::Event* out) {
  out->set_sequence(event.sequence);
  to_proto(event.time_unix_ns, out->mutable_time());
  out->set_tid(event.tid);
  if (event.kind > INT32_MAX || event.kind == LIBALLOC_EVENT_NONE ||
      !pb::EventKind_IsValid(static_cast<int>(event.kind))) {
    for (const uint64_t word : {event.a, event.b, event.c, event.d, event.e}) out->add_words(word);
    return;
  }
  out->set_kind(static_cast<pb::EventKind>(event.kind));
  switch (event.kind) {
    case LIBALLOC_EVENT_SAMPLE:
    case LIBALLOC_EVENT_SAMPLE_FREE:
      return fill(snapshot, event, out->mutable_sample());
    case LIBALLOC_EVENT_HEAP_GROW:
    case LIBALLOC_EVENT_HEAP_PEAK:
    case LIBALLOC_EVENT_LIMIT_HIT:
      return fill(event, out->mutable_heap());
    case LIBALLOC_EVENT_FAULT:
      out->mutable_fault()->set_address(event.a);
      return out->mutable_fault()->set_code(event.b);
    case LIBALLOC_EVENT_THREAD_START:
    case LIBALLOC_EVENT_THREAD_EXIT:
      return out->mutable_thread()->set_block(event.a);
    default:
      return fill(snapshot, event, out->mutable_span());
  }
}

}  // namespace liballoc::agent
