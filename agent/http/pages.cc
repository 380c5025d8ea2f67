// pages.cc - see pages.h.
#include "agent/http/pages.h"

#include <utility>

namespace liballoc::agent {
namespace {

constexpr uint64_t kKib = 1024;

std::string_view state_name(ProcessState state) {
  switch (state) {
    case ProcessState::kRunning:
      return "running";
    case ProcessState::kExitedClean:
      return "exited";
    case ProcessState::kKilled:
      return "killed";
    case ProcessState::kFaulted:
      return "faulted";
  }
  return "unknown";
}

HttpResponse page(std::string_view title, const std::string& body) {
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.headers = {{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"}};
  response.body =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
      html_escape(title) +
      "</title>\n<style>body{font-family:sans-serif;margin:2em}"
      "td,th{padding:.2em .8em;text-align:left}.n{text-align:right}</style></head>\n<body>"
      "<h1>" +
      html_escape(title) + "</h1>\n" + body + "</body></html>\n";
  return response;
}

// As a part of a path: the keys of replaced programs have a "#".
std::string url_escape(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

std::string process_row(const Snapshot& process) {
  const ProcessIdentity& id = process.identity;
  std::string row = "<tr><td><a href=\"/processes/" + url_escape(id.key) + "/debug/pprof/\">";
  row += std::to_string(id.pid) + "</a></td><td>" + html_escape(id.service) + "</td><td>";
  row += std::string(state_name(process.state)) + "</td><td class=\"n\">";
  row += std::to_string(process.memstats.heap_alloc / kKib) + "</td><td class=\"n\">";
  row += std::to_string(process.memstats.heap_objects) + "</td><td>";
  row += html_escape(id.executable) + "</td></tr>\n";
  return row;
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

HttpResponse process_list_page(const std::vector<SnapshotPtr>& processes) {
  std::string body = "<p><a href=\"/metrics\">metrics</a></p>\n";
  if (processes.empty()) {
    body += "<p>No process runs under liballoc.</p>\n";
  } else {
    body +=
        "<table><tr><th>pid</th><th>service</th><th>state</th><th>live KiB</th>"
        "<th>live objects</th><th>executable</th></tr>\n";
    for (const SnapshotPtr& process : processes) body += process_row(*process);
    body += "</table>\n";
  }
  return page("alloc-agent", body);
}

HttpResponse profile_list_page(const Snapshot& process) {
  const ProcessIdentity& id = process.identity;
  const std::string title = id.service + " (pid " + std::to_string(id.pid) + ")";
  // Links carry the key: unlike the pid it can never come to mean another process.
  const std::string base = "/processes/" + url_escape(id.key) + "/debug/pprof/";
  std::string body = "<p>" + std::string(state_name(process.state)) + ", " +
                     std::to_string(process.memstats.heap_objects) + " live objects</p>\n<ul>\n";
  constexpr std::pair<std::string_view, std::string_view> kProfiles[] = {
      {"heap", "memory in use, by the stack that allocated it"},
      {"allocs", "all allocations since the process started"}};
  for (const auto& [name, help] : kProfiles) {
    const std::string link = base + std::string(name);
    body += "<li><a href=\"" + link + "\">" + std::string(name) + "</a>: " + std::string(help) +
            " (<a href=\"" + link + "?debug=1\">as text</a>, <a href=\"" + link +
            "?seconds=30\">change over 30 s</a>)</li>\n";
  }
  body += "<li><a href=\"" + base + "peakheap\">peakheap</a>: memory in use when the heap was at its "
          "highest (<a href=\"" + base + "peakheap?debug=1\">as text</a>)</li>\n";
  body += "<li><a href=\"" + base + "cmdline\">cmdline</a>: the command line</li>\n</ul>\n";
  return page(title, body);
}

}  // namespace liballoc::agent
