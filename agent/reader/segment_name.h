// segment_name.h - the name of a segment file: liballoc.<pid>.<start ticks>, both decimal. Never
// matches anything else.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/text.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

struct SegmentName {
  uint32_t pid = 0;
  uint64_t start_ticks = 0;
  std::string text() const {
    return LIBALLOC_ABI_FILE_PREFIX + std::to_string(pid) + "." + std::to_string(start_ticks);
  }
};

inline std::optional<SegmentName> parse_segment_name(std::string_view name) {
  constexpr std::string_view kPrefix = LIBALLOC_ABI_FILE_PREFIX;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const size_t dot = name.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  uint64_t pid = 0;
  SegmentName out;
  if (!parse_decimal(name.substr(0, dot), pid) || pid == 0 ||
      pid > std::numeric_limits<uint32_t>::max() ||
      !parse_decimal(name.substr(dot + 1), out.start_ticks)) {
    return std::nullopt;
  }
  out.pid = static_cast<uint32_t>(pid);
  return out;
}

}  // namespace liballoc::agent
