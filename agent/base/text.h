// text.h - makes foreign bytes safe to show: valid UTF-8, and no control characters. Never throws
// on any input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace liballoc::agent {

bool is_valid_utf8(std::string_view bytes);

// The same text with every ill-formed sequence replaced by one U+FFFD (the Unicode "maximal
// subpart" rule).
std::string to_valid_utf8(std::string_view bytes);

// Valid UTF-8 in which control characters and backslash are written \n, \t, \\ or \xNN: one line,
// safe on a terminal.
std::string escape_control(std::string_view bytes);

std::string to_hex(std::span<const uint8_t> bytes);  // lowercase, no separators

// Exactly a decimal number without sign, blanks or leading zeros ("0" is fine) that fits; false
// otherwise.
bool parse_decimal(std::string_view text, uint64_t& out);

}  // namespace liballoc::agent
