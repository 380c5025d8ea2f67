// json.cc - see json.h. Must never leave a field out because it is zero.
#include "agent/messages/json.h"

#include <google/protobuf/util/json_util.h>

namespace liballoc::agent {

std::string to_json(const google::protobuf::Message& message, JsonStyle style) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = style == JsonStyle::kPretty;
  options.always_print_primitive_fields = true;
  std::string out;
  if (!google::protobuf::util::MessageToJsonString(message, &out, options).ok()) return {};
  if (style == JsonStyle::kOneLine) out += "\n";
  return out;
}

}  // namespace liballoc::agent
