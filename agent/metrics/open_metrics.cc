// open_metrics.cc - see open_metrics.h.
#include "agent/metrics/open_metrics.h"

#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "agent/metrics/catalog.h"

namespace liballoc::agent {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kInfo = "_info";

std::string_view without_suffix(std::string_view name, std::string_view suffix) {
  if (name.ends_with(suffix)) name.remove_suffix(suffix.size());
  return name;
}

void append_escaped(std::string_view text, std::string* out) {
  for (char c : text) {
    switch (c) {
      case '\\':
        *out += "\\\\";
        break;
      case '"':
        *out += "\\\"";
        break;
      case '\n':
        *out += "\\n";
        break;
      default:
        *out += c;
    }
  }
}

void append_number(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "NaN";
  } else if (std::isinf(value)) {
    *out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> buffer;  // the shortest form of a double takes at most 24
    auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    out->append(buffer.data(), result.ptr);
  }
}

void append_sample(std::string_view name, const ClientMetric& sample, double value,
                   std::string* out) {
  *out += name;
  if (!sample.label.empty()) {
    char before = '{';
    for (const ClientMetric::Label& label : sample.label) {
      *out += before;
      *out += label.name;
      *out += "=\"";
      append_escaped(label.value, out);
      *out += '"';
      before = ',';
    }
    *out += '}';
  }
  *out += ' ';
  append_number(value, out);
  *out += '\n';
}

const MetricInfo* catalog_entry(std::string_view name) {
  for (const MetricInfo& info : kCatalog) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

struct Heading {
  std::string_view family;
  std::string_view type;
};

Heading heading_of(const MetricFamily& family, const std::set<std::string_view>& names) {
  const std::string_view name = family.name;
  if (family.type == prometheus::MetricType::Counter) {
    const std::string_view base = without_suffix(name, kTotal);
    if (base == name || names.count(base) > 0) return {name, "unknown"};
    return {base, "counter"};
  }
  const MetricInfo* info = catalog_entry(name);
  if (info != nullptr && info->kind == MetricKind::kInfo) {
    return {without_suffix(name, kInfo), "info"};
  }
  return {name, "gauge"};
}

void append_heading(const Heading& heading, const MetricFamily& family, std::string* out) {
  const std::string prefix(heading.family);
  *out += "# TYPE " + prefix + " " + std::string(heading.type) + "\n";
  const MetricInfo* info = catalog_entry(family.name);
  if (info != nullptr && !info->unit.empty() &&
      heading.family.ends_with("_" + std::string(info->unit))) {
    *out += "# UNIT " + prefix + " " + std::string(info->unit) + "\n";
  }
  *out += "# HELP " + prefix + " ";
  append_escaped(family.help, out);
  *out += "\n";
}

}  // namespace

std::string serialize_open_metrics(const std::vector<MetricFamily>& families) {
  std::set<std::string_view> names;
  for (const MetricFamily& family : families) names.insert(family.name);
  std::string out;
  for (const MetricFamily& family : families) {
    append_heading(heading_of(family, names), family, &out);
    const bool counter = family.type == prometheus::MetricType::Counter;
    for (const ClientMetric& sample : family.metric) {
      append_sample(family.name, sample, counter ? sample.counter.value : sample.gauge.value, &out);
    }
  }
  out += "# EOF\n";
  return out;
}

}  // namespace liballoc::agent
