// url.cc - see url.h.
#include "agent/http/url.h"

namespace liballoc::agent {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool parse_parameters(std::string_view query, Url* url) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    std::optional<std::string> name = decode(item.substr(0, equals), true);
    std::optional<std::string> value = decode(
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1), true);
    if (!name || !value) return false;
    url->parameters.emplace_back(*std::move(name), *std::move(value));
  }
  return true;
}

}  // namespace

std::optional<std::string> Url::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::optional<Url> parse_url(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    target.remove_prefix(kScheme.size());
    const size_t path = target.find_first_of("/?");
    target.remove_prefix(path == std::string_view::npos ? target.size() : path);
    if (target.empty()) target = "/";
  }
  if (!target.starts_with('/')) return std::nullopt;
  Url url;
  const size_t question = target.find('?');
  std::optional<std::string> path = decode(target.substr(0, question), false);
  if (!path) return std::nullopt;
  url.path = *std::move(path);
  if (question != std::string_view::npos) url.raw_query = target.substr(question + 1);
  if (!parse_parameters(url.raw_query, &url)) return std::nullopt;
  return url;
}

}  // namespace liballoc::agent
