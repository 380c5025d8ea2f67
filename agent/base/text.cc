// text.cc - see text.h. Must never read beyond the view it was given.
#include "agent/base/text.h"

namespace liballoc::agent {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr char kHexDigits[] = "0123456789abcdef";

struct Sequence {
  size_t bytes;  // well-formed: its length; ill-formed: length of the maximal subpart to replace
  bool well_formed;
};

// Decodes one sequence at the start of `text` (not empty) by the table of well-formed byte
// sequences of the Unicode Standard: surrogates, overlong forms and values above U+10FFFF are
// ill-formed at their second byte.
Sequence next_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Sequence sequence = next_sequence(bytes);
    if (!sequence.well_formed) return false;
    bytes.remove_prefix(sequence.bytes);
  }
  return true;
}

std::string to_valid_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const Sequence sequence = next_sequence(bytes);
    out += sequence.well_formed ? bytes.substr(0, sequence.bytes) : kReplacement;
    bytes.remove_prefix(sequence.bytes);
  }
  return out;
}

std::string escape_control(std::string_view bytes) {
  const std::string text = to_valid_utf8(bytes);
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    // U+0080..U+009F are control characters too; in UTF-8 they are C2 80 .. C2 9F.
    const bool c1 = byte == 0xC2 && static_cast<uint8_t>(text[i + 1]) < 0xA0;
    if (byte == '\\') {
      out += "\\\\";
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F || c1) {
      const uint8_t value = c1 ? static_cast<uint8_t>(text[++i]) : byte;
      out += "\\x";
      out += kHexDigits[value >> 4];
      out += kHexDigits[value & 15];
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string to_hex(std::span<const uint8_t> bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 15];
  }
  return out;
}

bool parse_decimal(std::string_view text, uint64_t& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
      return false;
    }
  }
  out = value;
  return true;
}

}  // namespace liballoc::agent
