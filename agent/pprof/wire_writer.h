// wire_writer.h - the protobuf wire format, written by hand: just the parts that profile.proto
// needs.
//
// Fields of value 0 and empty strings are left out, as proto3 does. Must never know what the fields
// mean.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liballoc::agent {

class WireWriter {
 public:
  void uint64(uint32_t field, uint64_t value) {
    if (value == 0) return;
    tag(field, kVarint);
    varint(value);
  }
  void int64(uint32_t field, int64_t value) { uint64(field, static_cast<uint64_t>(value)); }
  void boolean(uint32_t field, bool value) { uint64(field, value ? 1 : 0); }

  // A length-delimited field, written even when empty (an element of a repeated field may be).
  void bytes(uint32_t field, std::string_view value) {
    tag(field, kLengthDelimited);
    varint(value.size());
    out_.append(value);
  }
  void message(uint32_t field, const WireWriter& value) { bytes(field, value.out_); }

  template <typename Integer>
  void packed(uint32_t field, const std::vector<Integer>& values) {
    if (values.empty()) return;
    WireWriter body;
    for (Integer value : values) body.varint(static_cast<uint64_t>(value));
    bytes(field, body.out_);
  }

  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  static constexpr uint32_t kVarint = 0;
  static constexpr uint32_t kLengthDelimited = 2;

  void tag(uint32_t field, uint32_t wire_type) { varint((field << 3) | wire_type); }
  void varint(uint64_t value) {
    while (value >= 0x80) {
      out_.push_back(static_cast<char>((value & 0x7f) | 0x80));
      value >>= 7;
    }
    out_.push_back(static_cast<char>(value));
  }

  std::string out_;
};

}  // namespace liballoc::agent
