// segment_name.h - the name of a segment file: liballoc.<pid>.<start ticks>, both decimal. Never
// matches anything else.
#pragma once

#include <array>
#include <cstddef>
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
  uint32_t suffix = 0;  // 0 = none
  std::string text() const {
    return LIBALLOC_ABI_FILE_PREFIX + std::to_string(pid) + "." + std::to_string(start_ticks) +
           (suffix == 0 ? "" : "." + std::to_string(suffix));
  }
};

inline constexpr uint32_t kMaxSegmentSuffix = 8;

inline std::optional<SegmentName> parse_segment_name(std::string_view name) {
  constexpr std::string_view kPrefix = LIBALLOC_ABI_FILE_PREFIX;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  std::array<uint64_t, 3> numbers{};
  size_t count = 0;
  for (;; ++count) {
    const size_t dot = name.find('.');
    if (count == numbers.size() || !parse_decimal(name.substr(0, dot), numbers[count])) {
      return std::nullopt;
    }
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  const auto [pid, start_ticks, suffix] = numbers;
  const bool suffix_fits = count == 1 || (count == 2 && suffix >= 1 && suffix <= kMaxSegmentSuffix);
  if (pid == 0 || pid > std::numeric_limits<uint32_t>::max() || !suffix_fits) return std::nullopt;
  SegmentName out;
  out.start_ticks = start_ticks;
  out.suffix = static_cast<uint32_t>(suffix);
  out.pid = static_cast<uint32_t>(pid);
  return out;
}

}  // namespace liballoc::agent
