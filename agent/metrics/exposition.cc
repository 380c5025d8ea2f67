// exposition.cc - see exposition.h.
#include "agent/metrics/exposition.h"

#include <prometheus/text_serializer.h>

#include <charconv>
#include <cstdlib>
#include <optional>

#include "agent/metrics/open_metrics.h"

namespace liballoc::agent {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Cuts the part before `separator` off `*text`.
std::string_view take(std::string_view* text, char separator) {
  size_t end = text->find(separator);
  std::string_view part = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return trim(part);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// One entry of an Accept or Accept-Encoding list. The quality of a malformed q is 0: the entry is
// ignored.
struct Entry {
  std::string_view value;
  std::string_view version;
  double quality = 1;
};

double parse_quality(std::string_view text) {
  double quality = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quality);
  if (error != std::errc() || end != text.data() + text.size()) return 0;
  return quality >= 0 && quality <= 1 ? quality : 0;
}

Entry parse_entry(std::string_view text) {
  Entry entry;
  entry.value = take(&text, ';');
  while (!text.empty()) {
    std::string_view parameter = take(&text, ';');
    std::string_view name = take(&parameter, '=');
    if (equals_ignoring_case(name, "q")) entry.quality = parse_quality(parameter);
    if (equals_ignoring_case(name, "version")) entry.version = parameter;
  }
  return entry;
}

std::optional<ExpositionFormat> format_of(const Entry& entry) {
  if (equals_ignoring_case(entry.value, "application/openmetrics-text")) {
    if (entry.version.empty() || entry.version == "1.0.0") return ExpositionFormat::kOpenMetrics100;
    if (entry.version == "0.0.1") return ExpositionFormat::kOpenMetrics001;
    return std::nullopt;
  }
  if (equals_ignoring_case(entry.value, "text/plain")) {
    if (entry.version.empty() || entry.version == "0.0.4") return ExpositionFormat::kText004;
    if (entry.version == "1.0.0") return ExpositionFormat::kText100;
    return std::nullopt;
  }
  if (entry.value == "*/*" || equals_ignoring_case(entry.value, "text/*")) {
    return ExpositionFormat::kText004;
  }
  return std::nullopt;
}

}  // namespace

ExpositionFormat negotiate_format(std::string_view accept) {
  ExpositionFormat best = ExpositionFormat::kText004;
  double best_quality = 0;
  while (!accept.empty()) {
    const Entry entry = parse_entry(take(&accept, ','));
    const std::optional<ExpositionFormat> format = format_of(entry);
    if (format && entry.quality > best_quality) {  // the first of equals wins
      best = *format;
      best_quality = entry.quality;
    }
  }
  return best;
}

std::string_view content_type(ExpositionFormat format) {
  switch (format) {
    case ExpositionFormat::kText100:
      return "text/plain; version=1.0.0; charset=utf-8";
    case ExpositionFormat::kOpenMetrics001:
      return "application/openmetrics-text; version=0.0.1; charset=utf-8";
    case ExpositionFormat::kOpenMetrics100:
      return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case ExpositionFormat::kText004:
      break;
  }
  return "text/plain; version=0.0.4; charset=utf-8";
}

std::string expose(const std::vector<prometheus::MetricFamily>& families, ExpositionFormat format) {
  switch (format) {
    case ExpositionFormat::kOpenMetrics001:
    case ExpositionFormat::kOpenMetrics100:
      return serialize_open_metrics(families);
    case ExpositionFormat::kText004:
    case ExpositionFormat::kText100:  // differs only in the names it allows, and ours are plain
      break;
  }
  return prometheus::TextSerializer().Serialize(families);
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const Entry entry = parse_entry(take(&accept_encoding, ','));
    if (equals_ignoring_case(entry.value, "gzip")) return entry.quality > 0;
    if (entry.value == "*") any = entry.quality > 0;
  }
  return any;
}

}  // namespace liballoc::agent
