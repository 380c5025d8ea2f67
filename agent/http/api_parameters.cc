// api_parameters.cc - see api_parameters.h. Must never ignore a parameter.
#include "agent/http/api_parameters.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/text.h"
#include "agent/messages/names.h"

namespace liballoc::agent {
namespace {

Failure<Error> wrong(std::string_view name, std::string_view value, const std::string& allowed) {
  return failure(ErrorCode::kInvalidArgument, "invalid value \"" +
                                                  escape_control(value.substr(0, 128)) + "\" for " +
                                                  std::string(name) + ": " + allowed);
}

std::vector<std::string> list_of(const Url& url, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [key, value] : url.parameters) {
    if (key != name) continue;
    size_t begin = 0;
    while (begin <= value.size()) {
      const size_t end = std::min(value.find(',', begin), value.size());
      out.push_back(value.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return out;
}

// `absent` where it is not given.
Result<uint64_t> number(const Url& url, std::string_view name, uint64_t absent, uint64_t most) {
  const std::optional<std::string> text = url.parameter(name);
  if (!text) return absent;
  uint64_t value = 0;
  if (parse_decimal(*text, value) && value <= most) return value;
  return wrong(name, *text, "it must be a whole number from 0 to " + std::to_string(most));
}

Result<bool> flag(const Url& url, std::string_view name) {
  const std::optional<std::string> text = url.parameter(name);
  if (!text || *text == "0") return false;
  if (*text == "1") return true;
  return wrong(name, *text, "allowed are 0 and 1");
}

Result<std::optional<double>> real(const Url& url, std::string_view name) {
  const std::optional<std::string> text = url.parameter(name);
  if (!text) return std::optional<double>();
  double value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (!text->empty() && error == std::errc() && end == text->data() + text->size()) {
    return std::optional<double>(value);
  }
  return wrong(name, *text, "it must be a number such as 0.5");
}

Status add_sizes(const Url& url, google::protobuf::RepeatedField<uint32_t>* out) {
  for (const std::string& text : list_of(url, "object_bytes")) {
    uint64_t bytes = 0;
    if (!parse_decimal(text, bytes) || bytes > UINT32_MAX) {
      return wrong("object_bytes", text,
                   "it must be the slot size of a class, or 0 for large objects");
    }
    out->Add(static_cast<uint32_t>(bytes));
  }
  return {};
}

template <typename Enum, typename Add>
Status add_names(const Url& url, std::string_view name, const std::string& allowed, Add add) {
  for (const std::string& text : list_of(url, name)) {
    Enum value{};
    if (!parse_short_name(text, &value)) return wrong(name, text, "allowed are " + allowed);
    add(value);
  }
  return {};
}

Status read_filter(const Url& url, pb::SpanFilter* filter) {
  Status status = add_names<pb::SpanState>(url, "state", span_state_names(),
                                           [&](pb::SpanState s) { filter->add_states(s); });
  if (status) status = add_sizes(url, filter->mutable_object_bytes());
  if (!status) return status;
  const auto least = real(url, "min_occupancy");
  if (!least) return failure(least.error());
  if (*least) filter->set_min_occupancy(**least);
  const auto most = real(url, "max_occupancy");
  if (!most) return failure(most.error());
  if (*most) filter->set_max_occupancy(**most);
  constexpr uint64_t kTenYearsOfSeconds = uint64_t{10} * 366 * 24 * 3600 - 1;
  const auto age = number(url, "min_age", 0, kTenYearsOfSeconds);
  if (!age) return failure(age.error());
  if (*age != 0) filter->mutable_min_age()->set_seconds(static_cast<int64_t>(*age));
  return {};
}

}  // namespace

Status only_known(const Url& url, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : url.parameters) {
    if (key == "pid" || std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names = "pid";
    for (const std::string_view name : known) names += ", " + std::string(name);
    return failure(ErrorCode::kInvalidArgument, "unknown parameter \"" +
                                                    escape_control(key.substr(0, 128)) +
                                                    "\": allowed here are " + names);
  }
  return {};
}

Result<pb::ListProcessesRequest> list_processes_request(const Url& url) {
  pb::ListProcessesRequest out;
  const Status status = add_names<pb::ProcessState>(url, "state", process_state_names(),
                                                    [&](pb::ProcessState s) { out.add_states(s); });
  if (!status) return failure(status.error());
  return out;
}

Result<pb::ListSpansRequest> list_spans_request(const Url& url) {
  pb::ListSpansRequest out;
  const Status known = only_known(url, {"state", "object_bytes", "min_occupancy", "max_occupancy",
                                        "min_age", "page_size", "page_token"});
  if (!known) return failure(known.error());
  if (const Status status = read_filter(url, out.mutable_filter()); !status) {
    return failure(status.error());
  }
  const auto page_size = number(url, "page_size", 0, UINT32_MAX);
  if (!page_size) return failure(page_size.error());
  out.set_page_size(static_cast<uint32_t>(*page_size));
  out.set_page_token(url.parameter("page_token").value_or(""));
  return out;
}

Result<pb::GetSizeClassesRequest> size_classes_request(const Url& url) {
  pb::GetSizeClassesRequest out;
  if (const Status known = only_known(url, {"used_only"}); !known) return failure(known.error());
  const auto used_only = flag(url, "used_only");
  if (!used_only) return failure(used_only.error());
  out.set_used_only(*used_only);
  return out;
}

Result<pb::GetAddressMapRequest> address_map_request(const Url& url) {
  pb::GetAddressMapRequest out;
  const Status known = only_known(url, {"include_runs", "address"});
  if (!known) return failure(known.error());
  const auto runs = flag(url, "include_runs");
  if (!runs) return failure(runs.error());
  out.set_include_runs(*runs);
  const std::string text = url.parameter("address").value_or("");
  if (text.empty()) return out;
  const std::string_view digits =
      text.starts_with("0x") ? std::string_view(text).substr(2) : std::string_view();
  uint64_t address = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    return wrong("address", text, "it must be hexadecimal, as in 0x7f0000000000");
  }
  out.set_address(address);
  return out;
}

Result<EventsQuery> events_query(const Url& url) {
  EventsQuery out;
  const Status known = only_known(url, {"kind", "object_bytes", "from_sequence", "limit"});
  if (!known) return failure(known.error());
  Status status = add_names<pb::EventKind>(url, "kind", event_kind_names(),
                                           [&](pb::EventKind k) { out.filter.add_kinds(k); });
  if (status) status = add_sizes(url, out.filter.mutable_object_bytes());
  if (!status) return failure(status.error());
  const auto from = number(url, "from_sequence", 0, UINT64_MAX);
  if (!from) return failure(from.error());
  out.from_sequence = *from;
  out.has_from = url.parameter("from_sequence").has_value();
  const auto limit = number(url, "limit", out.limit, 10000);
  if (!limit) return failure(limit.error());
  out.limit = static_cast<uint32_t>(*limit);
  return out;
}

}  // namespace liballoc::agent
