// json.h - messages as JSON, by the rules of protobuf: 64-bit numbers are strings, times are
// RFC 3339.
//
// A pure function. Must never leave a field out because it is zero.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace liballoc::agent {

enum class JsonStyle { kPretty, kOneLine };  // both end with a newline

// Every field present. Empty only for a message that has no JSON form (a time beyond year 9999).
[[nodiscard]] std::string to_json(const google::protobuf::Message& message, JsonStyle style);

}  // namespace liballoc::agent
