// xml_reader.h - what malloc_info writes, read back strictly: elements and attributes, no text, no entities. For tests alone.
#pragma once

#include <cctype>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

// An element by its path from the root.
struct Element {
  std::string path;
  std::map<std::string, std::string> attributes;
  uint64_t number(const char* name) const { return strtoull(attributes.at(name).c_str(), nullptr, 10); }
};

inline bool parse_name(const std::string& xml, size_t* at, std::string* name) {
  name->clear();
  while (*at < xml.size() && (isalnum(static_cast<unsigned char>(xml[*at])) || xml[*at] == '_')) *name += xml[(*at)++];
  return !name->empty();
}

// False when the text is not well-formed.
inline bool parse_xml(const std::string& xml, std::vector<Element>* out) {
  std::vector<std::string> open;
  size_t at = 0;
  while (at < xml.size()) {
    if (isspace(static_cast<unsigned char>(xml[at]))) {
      at++;
      continue;
    }
    if (xml[at++] != '<') return false;
    if (out->size() > 0 && open.empty()) return false;  // a second root
    std::string name;
    if (xml[at] == '/') {
      at++;
      if (!parse_name(xml, &at, &name) || open.empty() || open.back() != name || xml[at++] != '>') return false;
      open.pop_back();
      continue;
    }
    if (!parse_name(xml, &at, &name)) return false;
    Element element;
    open.push_back(name);
    for (const std::string& part : open) element.path += "/" + part;
    while (xml[at] == ' ') {
      at++;
      std::string key;
      if (!parse_name(xml, &at, &key) || xml.compare(at, 2, "=\"") != 0) return false;
      const size_t end = xml.find('"', at + 2);
      if (end == std::string::npos) return false;
      const std::string value = xml.substr(at + 2, end - at - 2);
      if (value.find_first_of("<&") != std::string::npos || !element.attributes.emplace(key, value).second) return false;
      at = end + 1;
    }
    out->push_back(element);
    if (xml[at] == '/') {
      at++;
      open.pop_back();
    }
    if (xml[at++] != '>') return false;
  }
  return open.empty() && !out->empty();
}
