// profile_builder.cc - see profile_builder.h. Field numbers are those of pprof's profile.proto.
#include "agent/pprof/profile_builder.h"

#include <cassert>

#include "agent/base/text.h"
#include "agent/pprof/wire_writer.h"

namespace liballoc::agent {
namespace {

enum ProfileField : uint32_t {
  kSampleType = 1,
  kSample = 2,
  kMapping = 3,
  kLocation = 4,
  kFunction = 5,
  kStringTable = 6,
  kDropFrames = 7,
  kTimeNanos = 9,
  kDurationNanos = 10,
  kPeriodType = 11,
  kPeriod = 12,
  kComment = 13,
  kDefaultSampleType = 14,
};

WireWriter value_type(int64_t type, int64_t unit) {
  WireWriter w;
  w.int64(1, type);
  w.int64(2, unit);
  return w;
}

}  // namespace

ProfileBuilder::ProfileBuilder() : strings_(1) { string_index_.emplace("", 0); }

int64_t ProfileBuilder::intern_string(std::string_view s) {
  std::string valid = to_valid_utf8(s);
  const auto [it, added] =
      string_index_.try_emplace(std::move(valid), static_cast<int64_t>(strings_.size()));
  if (added) strings_.push_back(it->first);
  return it->second;
}

uint64_t ProfileBuilder::add_mapping(const Mapping& mapping) {
  mappings_.push_back({mapping.start,
                       mapping.limit,
                       mapping.file_offset,
                       intern_string(mapping.filename),
                       intern_string(mapping.build_id),
                       {}});
  return mappings_.size();
}

void ProfileBuilder::set_mapping_symbols(uint64_t mapping_id, const MappingSymbols& symbols) {
  assert(mapping_id >= 1 && mapping_id <= mappings_.size());
  mappings_[mapping_id - 1].symbols = symbols;
}

uint64_t ProfileBuilder::intern_function(std::string_view name, std::string_view system_name,
                                         std::string_view filename, int64_t start_line) {
  const FunctionKey key(intern_string(name), intern_string(system_name), intern_string(filename),
                        start_line);
  const auto [it, added] = function_index_.try_emplace(key, functions_.size() + 1);
  if (added) functions_.push_back(key);
  return it->second;
}

uint64_t ProfileBuilder::add_location(uint64_t mapping_id, uint64_t address,
                                      const std::vector<Line>& lines) {
  assert(mapping_id >= 1 && mapping_id <= mappings_.size());
  const uint64_t id = ++location_count_;
  WireWriter location;
  location.uint64(1, id);
  location.uint64(2, mapping_id);
  location.uint64(3, address);
  for (const Line& line : lines) {
    WireWriter w;
    w.uint64(1, line.function);
    w.int64(2, line.line);
    location.message(4, w);
  }
  WireWriter field;
  field.message(kLocation, location);
  locations_bytes_ += field.take();
  return id;
}

void ProfileBuilder::add_sample_type(std::string_view type, std::string_view unit) {
  const int64_t type_id = intern_string(type);
  sample_types_.push_back({type_id, intern_string(unit)});
}

void ProfileBuilder::add_sample(const std::vector<uint64_t>& location_ids,
                                const std::vector<int64_t>& values,
                                const std::vector<Label>& labels) {
  assert(values.size() == sample_types_.size());
  WireWriter sample;
  sample.packed(1, location_ids);
  sample.packed(2, values);
  for (const Label& label : labels) {
    WireWriter w;
    w.int64(1, intern_string(label.key));
    w.int64(2, intern_string(label.text));
    w.int64(3, label.number);
    w.int64(4, intern_string(label.unit));
    sample.message(3, w);
  }
  WireWriter field;
  field.message(kSample, sample);
  samples_bytes_ += field.take();
}

void ProfileBuilder::add_comment(std::string_view comment) {
  comments_.push_back(intern_string(comment));
}

void ProfileBuilder::set_period(std::string_view type, std::string_view unit, int64_t period) {
  period_type_.type = intern_string(type);
  period_type_.unit = intern_string(unit);
  period_ = period;
}

void ProfileBuilder::set_time(int64_t time_unix_ns, int64_t duration_ns) {
  time_ns_ = time_unix_ns;
  duration_ns_ = duration_ns;
}

void ProfileBuilder::set_default_sample_type(std::string_view type) {
  default_sample_type_ = intern_string(type);
}

void ProfileBuilder::set_drop_frames(std::string_view regexp) {
  drop_frames_ = intern_string(regexp);
}

std::string ProfileBuilder::finish() {
  WireWriter out;
  for (const ValueType& t : sample_types_) out.message(kSampleType, value_type(t.type, t.unit));
  for (size_t i = 0; i < mappings_.size(); ++i) {
    const MappingRecord& m = mappings_[i];
    WireWriter w;
    w.uint64(1, i + 1);
    w.uint64(2, m.start);
    w.uint64(3, m.limit);
    w.uint64(4, m.file_offset);
    w.int64(5, m.filename);
    w.int64(6, m.build_id);
    w.boolean(7, m.symbols.functions);
    w.boolean(8, m.symbols.filenames);
    w.boolean(9, m.symbols.line_numbers);
    w.boolean(10, m.symbols.inline_frames);
    out.message(kMapping, w);
  }
  for (size_t i = 0; i < functions_.size(); ++i) {
    const auto& [name, system_name, filename, start_line] = functions_[i];
    WireWriter w;
    w.uint64(1, i + 1);
    w.int64(2, name);
    w.int64(3, system_name);
    w.int64(4, filename);
    w.int64(5, start_line);
    out.message(kFunction, w);
  }
  for (const std::string& s : strings_) out.bytes(kStringTable, s);
  out.int64(kDropFrames, drop_frames_);
  out.int64(kTimeNanos, time_ns_);
  out.int64(kDurationNanos, duration_ns_);
  out.message(kPeriodType, value_type(period_type_.type, period_type_.unit));
  out.int64(kPeriod, period_);
  out.packed(kComment, comments_);
  out.int64(kDefaultSampleType, default_sample_type_);
  return samples_bytes_ + locations_bytes_ + out.take();
}

}  // namespace liballoc::agent
