// config_driver.cc - the environment parser on any strings: bounded, terminated, the same answer
// twice, and byte counts as a plain parser reads them.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "liballoc/core/config.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"

namespace liballoc {
namespace {

size_t g_complaints = 0;

void note(const char* line) {
  g_complaints++;
  LIBALLOC_FUZZ_CHECK(std::strlen(line) < 512);
  LIBALLOC_FUZZ_CHECK(std::string_view(line).starts_with("liballoc: "));
}

// What "64K" and the like mean; nothing when it is no number of bytes.
std::optional<uint64_t> byte_count(std::string_view text) {
  __extension__ using Wide = unsigned __int128;
  Wide n = 0;
  size_t i = 0;
  for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; i++) {
    n = n * 10 + static_cast<unsigned>(text[i] - '0');
    if (n > UINT64_MAX) return std::nullopt;
  }
  if (i == 0 || text.size() - i > 1) return std::nullopt;
  if (i < text.size()) {
    const size_t unit = std::string_view("kmgKMG").find(text[i]);
    if (unit == std::string_view::npos) return std::nullopt;
    n <<= 10 * (unit % 3 + 1);
  }
  return n > UINT64_MAX ? std::nullopt : std::optional(static_cast<uint64_t>(n));
}

// The value that the last good entry of this name gives.
uint64_t expected_bytes(const std::vector<std::string>& entries, const std::string& name,
                        uint64_t otherwise) {
  for (const std::string& entry : entries) {
    const std::string_view text = entry.c_str();
    if (!text.starts_with(name)) continue;
    if (const auto n = byte_count(text.substr(name.size()))) otherwise = *n;
  }
  return otherwise;
}

}  // namespace

void drive_config(std::span<const uint8_t> bytes) {
  // The first byte of each entry picks a known beginning, so that the rest is a value.
  static constexpr const char* kBeginnings[] = {"",
                                                "LIBALLOC_",
                                                "LIBALLOC_TELEMETRY=",
                                                "LIBALLOC_SHM_DIR=",
                                                "LIBALLOC_SAMPLE_RATE=",
                                                "LIBALLOC_SERVICE=",
                                                "LIBALLOC_SOFT_LIMIT=",
                                                "LIBALLOC_KEEP_SEGMENT=",
                                                "LIBALLOC_VERBOSE=",
                                                "LIBALLOC_SHM_DIR=/"};
  FuzzInput input(bytes);
  std::vector<std::string> entries;
  while (!input.empty()) {
    std::string entry = kBeginnings[input.below(std::size(kBeginnings))];
    for (uint8_t c = input.byte(); c != 0; c = input.byte()) entry += static_cast<char>(c);
    entries.push_back(std::move(entry));
  }
  std::vector<const char*> environment;
  for (const std::string& entry : entries) environment.push_back(entry.c_str());
  environment.push_back(nullptr);

  Config config, again;
  g_complaints = 0;
  parse_config(environment.data(), &config, note);
  const size_t complaints = g_complaints;
  LIBALLOC_FUZZ_CHECK(complaints <= entries.size());
  parse_config(environment.data(), &again, note);
  LIBALLOC_FUZZ_CHECK(g_complaints == 2 * complaints);

  const auto terminated = [](const auto& field) {
    return std::memchr(field, '\0', sizeof(field)) != nullptr;
  };
  LIBALLOC_FUZZ_CHECK(terminated(config.shm_dir) && config.shm_dir[0] == '/');
  LIBALLOC_FUZZ_CHECK(terminated(config.service));
  LIBALLOC_FUZZ_CHECK(std::strcmp(config.shm_dir, again.shm_dir) == 0);
  LIBALLOC_FUZZ_CHECK(std::strcmp(config.service, again.service) == 0);
  LIBALLOC_FUZZ_CHECK(config.telemetry == again.telemetry && config.verbose == again.verbose &&
                      config.keep_segment == again.keep_segment);
  LIBALLOC_FUZZ_CHECK(config.sample_rate ==
                      expected_bytes(entries, "LIBALLOC_SAMPLE_RATE=", kDefaultSampleRate));
  LIBALLOC_FUZZ_CHECK(config.soft_limit == expected_bytes(entries, "LIBALLOC_SOFT_LIMIT=", 0));
}

}  // namespace liballoc
