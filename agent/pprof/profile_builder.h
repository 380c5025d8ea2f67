// profile_builder.h - a pprof profile.proto under construction: interns what repeats, hands out
// ids, writes bytes.
//
// Invariants of the result: string_table[0] is ""; ids of mappings, functions and locations run
// from 1 without a gap; every string is valid UTF-8; every sample has as many values as there are
// sample types. Knows nothing of heaps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace liballoc::agent {

class ProfileBuilder {
 public:
  struct Mapping {
    uint64_t start = 0, limit = 0, file_offset = 0;
    std::string filename, build_id;
  };
  struct MappingSymbols {  // what is known of *all* locations of a mapping
    bool functions = false, filenames = false, line_numbers = false, inline_frames = false;
  };
  struct Line {
    uint64_t function = 0;  // id
    int64_t line = 0;
  };
  struct Label {  // numeric, or text when `text` is not empty
    std::string_view key, text, unit;
    int64_t number = 0;
  };

  ProfileBuilder();

  [[nodiscard]] int64_t intern_string(std::string_view s);
  [[nodiscard]] uint64_t add_mapping(const Mapping& mapping);  // the first is the main executable
  void set_mapping_symbols(uint64_t mapping_id, const MappingSymbols& symbols);
  [[nodiscard]] uint64_t intern_function(std::string_view name, std::string_view system_name,
                                         std::string_view filename, int64_t start_line);
  [[nodiscard]] uint64_t add_location(uint64_t mapping_id, uint64_t address,
                                      const std::vector<Line>& lines);
  void add_sample_type(std::string_view type, std::string_view unit);
  // Leaf first. Precondition: one value per sample type.
  void add_sample(const std::vector<uint64_t>& location_ids, const std::vector<int64_t>& values,
                  const std::vector<Label>& labels);
  void add_comment(std::string_view comment);
  void set_period(std::string_view type, std::string_view unit, int64_t period);
  void set_time(int64_t time_unix_ns, int64_t duration_ns);
  void set_default_sample_type(std::string_view type);  // "" = the last one
  void set_drop_frames(std::string_view regexp);        // matched against whole function names

  // The serialised profile, not compressed. The builder is empty of meaning afterwards.
  [[nodiscard]] std::string finish();

 private:
  struct MappingRecord {
    uint64_t start, limit, file_offset;
    int64_t filename, build_id;
    MappingSymbols symbols;
  };
  struct ValueType {
    int64_t type = 0, unit = 0;
  };
  using FunctionKey = std::tuple<int64_t, int64_t, int64_t, int64_t>;

  std::vector<std::string> strings_;
  std::unordered_map<std::string, int64_t> string_index_;
  std::vector<MappingRecord> mappings_;
  std::map<FunctionKey, uint64_t> function_index_;
  std::vector<FunctionKey> functions_;
  uint64_t location_count_ = 0;
  std::vector<ValueType> sample_types_;
  std::vector<int64_t> comments_;
  ValueType period_type_;
  int64_t period_ = 0, time_ns_ = 0, duration_ns_ = 0;
  int64_t default_sample_type_ = 0, drop_frames_ = 0;
  std::string locations_bytes_,
      samples_bytes_;  // written as they come; fields may stand in any order
};

}  // namespace liballoc::agent
