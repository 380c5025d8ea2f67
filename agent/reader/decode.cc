// decode.cc - see decode.h. Must never index anything by a foreign number that was not compared
// with its size.
#include "agent/reader/decode.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "agent/base/text.h"
#include "agent/reader/bytes_view.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {
namespace {

template <size_t N>
std::string decode_string(const char (&field)[N], size_t max_bytes = N) {
  return to_valid_utf8(fixed_string(field, max_bytes));
}

std::vector<std::string> decode_command_line(const liballoc_abi_identity& identity) {
  std::string_view rest(identity.command_line, std::min<size_t>(identity.command_line_bytes,
                                                                sizeof(identity.command_line)));
  std::vector<std::string> words;
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    words.push_back(to_valid_utf8(rest.substr(0, end)));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return words;
}

// One stack; nothing when its frames cannot be. `frames_left` keeps all stacks together from taking
// more frames than there are: the writer gives each stack frames of its own.
std::optional<Stack> decode_stack(const liballoc_abi_stack& record,
                                  const std::vector<liballoc_abi_frame>& frames,
                                  uint64_t& frames_left) {
  if (record.depth > limits::kMaxStackDepth || record.depth > frames_left ||
      !BytesView::fits(record.first_frame, record.depth, frames.size())) {
    return std::nullopt;
  }
  frames_left -= record.depth;
  Stack stack;
  stack.truncated = (record.flags & 1) != 0;
  stack.pcs.reserve(record.depth);
  for (uint32_t i = 0; i < record.depth; ++i) {
    stack.pcs.push_back(frames[record.first_frame + i].pc);
  }
  return stack;
}

// Nothing when it cannot be: a writer stores no empty key, and a string and its length together.
std::optional<std::pair<std::string, std::string>> decode_label(const liballoc_abi_label& record) {
  if (record.key_bytes == 0 || record.key_bytes >= sizeof(record.key) ||
      record.value_bytes >= sizeof(record.value)) {
    return std::nullopt;
  }
  return std::pair{decode_string(record.key, record.key_bytes),
                   decode_string(record.value, record.value_bytes)};
}

std::optional<LabelSet> decode_label_set(const liballoc_abi_label_set& record,
                                         const std::vector<liballoc_abi_label>& labels) {
  if (record.labels > LIBALLOC_ABI_LABELS_PER_SET) return std::nullopt;
  LabelSet set;
  set.reserve(record.labels);
  for (uint32_t i = 0; i < record.labels; ++i) {
    if (record.label[i] == 0 || record.label[i] > labels.size()) return std::nullopt;
    auto label = decode_label(labels[record.label[i] - 1]);
    if (!label || label->first.empty()) return std::nullopt;
    set.push_back(std::move(*label));
  }
  std::sort(set.begin(), set.end());
  // Keys that differ in bytes that are no text may have become one.
  const auto same_key = [](const auto& a, const auto& b) { return a.first == b.first; };
  set.erase(std::unique(set.begin(), set.end(), same_key), set.end());
  return set;
}

bool believable_span(const liballoc_abi_span& record) {
  if (record.base == 0 || record.pages == 0 || record.state > LIBALLOC_SPAN_PAGE_CACHED ||
      record.size_class >= LIBALLOC_ABI_SIZE_CLASSES) {
    return false;
  }
  const bool holds_slots = record.state == LIBALLOC_SPAN_PARTIAL ||
                           record.state == LIBALLOC_SPAN_FULL ||
                           record.state == LIBALLOC_SPAN_CACHED;
  return !holds_slots || record.allocated <= record.objects;
}

}  // namespace

ProcessIdentity decode_identity(const liballoc_abi_header& header,
                                const liballoc_abi_identity& identity) {
  ProcessIdentity out;
  out.pid = header.pid;
  out.uid = header.uid;
  out.start_ticks = header.start_ticks;
  out.pid_namespace = header.pid_namespace;
  out.forked_from = header.forked_from;
  out.start_time_unix_ns = clamp_unix_ns(header.start_realtime_ns);
  out.created_monotonic_ns = header.created_monotonic_ns;
  out.executable = decode_string(identity.executable);
  out.command_line = decode_command_line(identity);
  out.service = decode_string(identity.service);
  out.cgroup = decode_string(identity.cgroup);
  out.hostname = decode_string(identity.hostname);
  out.liballoc_version = decode_string(identity.version);
  return out;
}

std::vector<Span> decode_spans(const std::vector<liballoc_abi_span>& records,
                               const WallClock& clock, ReadHealth& health) {
  std::vector<Span> spans;
  spans.reserve(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    const liballoc_abi_span& r = records[i];
    if (r.state == LIBALLOC_SPAN_DEAD) continue;
    if (!believable_span(r)) {
      ++health.corrupt_records;
      continue;
    }
    Span span;
    span.record = static_cast<uint32_t>(i);
    span.base = r.base;
    span.pages = r.pages;
    span.state = r.state;
    span.size_class = r.size_class;
    span.flags = r.flags;
    span.object_bytes = r.object_bytes;
    span.objects = r.objects;
    span.allocated = r.allocated;
    span.owner_tid = r.owner_tid;
    span.changed_unix_ns = clock.to_unix_ns(r.changed_ns);
    span.unused_unix_ns = clock.to_unix_ns(r.unused_ns);
    spans.push_back(span);
  }
  return spans;
}

std::vector<Module> decode_modules(const std::vector<liballoc_abi_module>& records,
                                   const WallClock& clock, ReadHealth& health) {
  std::vector<Module> modules;
  modules.reserve(records.size());
  for (const liballoc_abi_module& r : records) {
    if (r.start == 0 && r.end == 0) continue;
    if (r.start >= r.end || r.build_id_bytes > sizeof(r.build_id) ||
        r.path_bytes > sizeof(r.path)) {
      ++health.corrupt_records;
      continue;
    }
    Module module;
    module.start = r.start;
    module.end = r.end;
    module.file_offset = r.file_offset;
    module.load_bias = r.load_bias;
    module.loaded_unix_ns = clock.to_unix_ns(r.loaded_ns);
    module.unloaded_unix_ns = clock.to_unix_ns(r.unloaded_ns);
    module.path = decode_string(r.path);
    module.build_id = to_hex(std::span<const uint8_t>(r.build_id, r.build_id_bytes));
    modules.push_back(std::move(module));
  }
  return modules;
}

std::vector<Fault> decode_faults(const std::vector<liballoc_abi_fault>& records, size_t stack_count,
                                 const WallClock& clock) {
  const auto stack_index = [stack_count](uint32_t record_plus_one) {
    return record_plus_one != 0 && record_plus_one <= stack_count ? record_plus_one - 1
                                                                  : Fault::kNoStack;
  };
  std::vector<Fault> faults;
  for (const liballoc_abi_fault& r : records) {
    if (r.code == 0) continue;
    Fault fault;
    fault.code = r.code;
    fault.address = r.address;
    fault.span_base = r.span_base;
    fault.object_base = r.object_base;
    fault.time_unix_ns = clock.to_unix_ns(r.time_ns);
    fault.tid = r.tid;
    fault.size_class = r.size_class;
    fault.span_state = r.span_state;
    fault.alloc_stack = stack_index(r.alloc_stack);
    fault.free_stack = stack_index(r.free_stack);
    fault.fault_stack = stack_index(r.fault_stack);
    fault.message = decode_string(r.message);
    faults.push_back(std::move(fault));
  }
  return faults;
}

std::vector<LabelSet> decode_label_sets(const std::vector<liballoc_abi_label_set>& sets,
                                        const std::vector<liballoc_abi_label>& labels,
                                        ReadHealth& health) {
  std::vector<LabelSet> out(1);
  out.reserve(sets.size() + 1);
  for (const liballoc_abi_label_set& record : sets) {
    auto set = decode_label_set(record, labels);
    if (!set) ++health.corrupt_records;
    out.push_back(set ? std::move(*set) : LabelSet{});
  }
  return out;
}

DecodedProfile decode_profile(const std::vector<liballoc_abi_stack>& stacks,
                              const std::vector<liballoc_abi_frame>& frames,
                              const std::vector<liballoc_abi_bucket>& buckets,
                              const std::vector<liballoc_abi_sample>& samples,
                              size_t label_set_count, const WallClock& clock,
                              ReadHealth& health) {
  DecodedProfile out;
  out.stacks.reserve(stacks.size() + 1);
  uint64_t frames_left = frames.size();
  for (const liballoc_abi_stack& r : stacks) {
    auto stack = decode_stack(r, frames, frames_left);
    if (!stack) ++health.corrupt_records;
    out.stacks.push_back(stack ? std::move(*stack) : Stack{});
  }
  const uint32_t unknown_stack = static_cast<uint32_t>(stacks.size());
  bool unknown_stack_used = false;
  const auto stack_index = [&](uint32_t record_plus_one) {
    if (record_plus_one > stacks.size()) ++health.corrupt_records;
    if (record_plus_one != 0 && record_plus_one <= stacks.size()) return record_plus_one - 1;
    unknown_stack_used = true;
    return unknown_stack;
  };

  const auto label_set_index = [&](uint32_t index) {
    if (index < label_set_count) return index;
    ++health.corrupt_records;
    return 0u;
  };

  out.buckets.reserve(buckets.size());
  for (const liballoc_abi_bucket& r : buckets) {
    Bucket bucket;
    bucket.stack = stack_index(r.stack);
    if (r.cache_class < LIBALLOC_ABI_CACHE_CLASSES) {
      bucket.label_set = label_set_index(r.label_set);
      bucket.cache_class = r.cache_class;
      bucket.allocated_bytes = r.allocated_bytes;
      bucket.period = r.period;
      bucket.allocs = r.allocs;
      bucket.alloc_requested = r.alloc_requested;
      // The four counters are written one after the other; a free may be seen before its
      // allocation.
      bucket.frees = std::min(r.frees, r.allocs);
      bucket.free_requested = std::min(r.free_requested, r.alloc_requested);
    } else {
      ++health.corrupt_records;
    }
    out.buckets.push_back(bucket);
  }

  for (const liballoc_abi_sample& r : samples) {
    if (r.address == 0) continue;
    if (r.bucket == 0) {
      ++health.dropped_records;
      continue;
    }
    if (r.bucket > buckets.size()) {
      ++health.corrupt_records;
      continue;
    }
    LiveSample sample;
    sample.address = r.address;
    sample.requested_bytes = r.requested_bytes;
    sample.allocated_bytes = r.allocated_bytes;
    sample.period = r.period;
    sample.time_unix_ns = clock.to_unix_ns(r.time_ns);
    sample.stack = stack_index(r.stack);
    sample.bucket = r.bucket - 1;
    sample.tid = r.tid;
    sample.label_set = label_set_index(r.label_set);
    out.live_samples.push_back(sample);
  }
  if (unknown_stack_used) out.stacks.emplace_back();
  return out;
}

}  // namespace liballoc::agent
