// dump_text.cc - see dump_text.h. Must never print a string unescaped.
#include "agent/cli/dump_text.h"

#include <cstdio>

#include "agent/base/text.h"
#include "agent/base/time_units.h"
#include "agent/cli/format.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

void line(std::ostream& out, std::string_view name, std::string_view value) {
  constexpr size_t kColumn = 20;
  const std::string padding(name.size() < kColumn ? kColumn - name.size() : 1, ' ');
  out << name << padding << (value.empty() ? "-" : escape_control(value)) << "\n";
}

std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string wall_time(int64_t unix_ns) {
  if (unix_ns <= 0) return "-";
  char fraction[16];
  std::snprintf(fraction, sizeof(fraction), ".%09d", static_cast<int>(unix_ns % kNsPerSecond));
  return human_time(unix_ns / kNsPerSecond) + fraction;
}

std::string span_flags(uint8_t flags) {
  std::string out;
  const struct {
    unsigned bit;
    const char* name;
  } kFlags[] = {{LIBALLOC_SPAN_FLAG_NOSCAN, "noscan"},
                {LIBALLOC_SPAN_FLAG_SCAVENGED, "scavenged"},
                {LIBALLOC_SPAN_FLAG_NEED_ZERO, "need-zero"},
                {LIBALLOC_SPAN_FLAG_SPECIALS, "sampled"}};
  unsigned rest = flags;
  for (const auto& [bit, name] : kFlags) {
    if ((flags & bit) == 0) continue;
    out += (out.empty() ? "" : " ") + std::string(name);
    rest &= ~bit;
  }
  if (rest != 0) out += (out.empty() ? "" : " ") + hex(rest);
  return out;
}

}  // namespace liballoc::agent
