// dump_text.h - how a dump writes its values.
//
// Pure functions but for line(), which prints. Must never print a string unescaped.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

namespace liballoc::agent {

void line(std::ostream& out, std::string_view name, std::string_view value);  // "name   value"
[[nodiscard]] std::string hex(uint64_t value);                                // "0x7f00"
// "2024-01-31 23:59:59.000000001", UTC; "-" for 0, which means unknown.
[[nodiscard]] std::string wall_time(int64_t unix_ns);
[[nodiscard]] std::string span_flags(uint8_t flags);  // "noscan scavenged"; unknown bits as 0x...

}  // namespace liballoc::agent
