// names.cc - see names.h. Must never accept a name that means "not said".
#include "agent/messages/names.h"

#include <google/protobuf/descriptor.h>

namespace liballoc::agent {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;

// What all names of an enum begin with: value 0 is called PREFIX_UNSPECIFIED.
size_t prefix_bytes(const EnumDescriptor& type) {
  return type.FindValueByNumber(0)->name().size() - std::string_view("UNSPECIFIED").size();
}

std::string short_form(const EnumValueDescriptor& value) {
  std::string out = value.name().substr(prefix_bytes(*value.type()));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return out;
}

template <typename Enum>
const EnumDescriptor& type_of() {
  return *google::protobuf::GetEnumDescriptor<Enum>();
}

template <typename Enum>
std::string name_of(Enum number) {
  const EnumValueDescriptor* value = type_of<Enum>().FindValueByNumber(number);
  return value == nullptr || number == 0 ? "unknown" : short_form(*value);
}

template <typename Enum>
bool parse(std::string_view text, Enum* out) {
  const EnumDescriptor& type = type_of<Enum>();
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor& value = *type.value(i);
    if (value.number() == 0 || short_form(value) != text) continue;
    *out = static_cast<Enum>(value.number());
    return true;
  }
  return false;
}

template <typename Enum>
std::string all_names() {
  const EnumDescriptor& type = type_of<Enum>();
  std::string out;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() == 0) continue;
    if (!out.empty()) out += i + 1 == type.value_count() ? " and " : ", ";
    out += short_form(*type.value(i));
  }
  return out;
}

namespace pb = ::liballoc::telemetry::v1;

}  // namespace

std::string short_name(pb::SpanState state) { return name_of(state); }
std::string short_name(pb::EventKind kind) { return name_of(kind); }
std::string short_name(pb::ProcessState state) { return name_of(state); }
std::string short_name(pb::RunKind kind) { return name_of(kind); }

bool parse_short_name(std::string_view text, pb::SpanState* out) { return parse(text, out); }
bool parse_short_name(std::string_view text, pb::EventKind* out) { return parse(text, out); }
bool parse_short_name(std::string_view text, pb::ProcessState* out) { return parse(text, out); }

std::string span_state_names() { return all_names<pb::SpanState>(); }
std::string event_kind_names() { return all_names<pb::EventKind>(); }
std::string process_state_names() { return all_names<pb::ProcessState>(); }

}  // namespace liballoc::agent
