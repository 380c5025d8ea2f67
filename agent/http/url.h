// url.h - a request target taken apart: decoded path, decoded parameters, raw query. Never does
// more than split and decode.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace liballoc::agent {

struct Url {
  std::string path;                                             // decoded, begins with '/'
  std::string raw_query;                                        // what follows the '?', as sent
  std::vector<std::pair<std::string, std::string>> parameters;  // decoded, in order

  // The value of the first parameter of that name.
  std::optional<std::string> parameter(std::string_view name) const;
};

// Takes "/path?query" and "http://host/path?query"; nullopt for anything else, and for a malformed
// %XX.
std::optional<Url> parse_url(std::string_view target);

}  // namespace liballoc::agent
