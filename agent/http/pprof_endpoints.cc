// pprof_endpoints.cc - see pprof_endpoints.h.
#include "agent/http/pprof_endpoints.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "agent/base/text.h"
#include "agent/http/pages.h"
#include "agent/http/process_lookup.h"

namespace liballoc::agent {
namespace {

HttpResponse lookup_error(const Error& error) {
  return pprof_error(error.code == ErrorCode::kNotFound ? 404 : 400, error.message);
}

struct ProfileRequest {
  ProfileOptions options;
  std::chrono::seconds seconds{0};  // 0 = no delta
};

// A parameter that is 0 or 1, with a default for its absence.
Result<bool> flag(const Url& url, std::string_view name, bool absent) {
  const std::optional<std::string> value = url.parameter(name);
  if (!value) return absent;
  if (*value == "0" || *value == "1") return *value == "1";
  return failure(ErrorCode::kInvalidArgument, "invalid value \"" + escape_control(*value) +
                                                  "\" for " + std::string(name) +
                                                  ": allowed are 0 and 1");
}

Result<ProfileRequest> parse_request(const Url& url, std::chrono::seconds max_delta) {
  ProfileRequest request;
  const Result<bool> debug = flag(url, "debug", false);
  if (!debug) return failure(debug.error());
  const Result<bool> symbolize = flag(url, "symbolize", true);
  if (!symbolize) return failure(symbolize.error());
  // gc=1 asks for figures as of now. They always are: each request refreshes first.
  const Result<bool> gc = flag(url, "gc", false);
  if (!gc) return failure(gc.error());
  request.options.debug = *debug ? 1 : 0;
  request.options.symbolize = *symbolize;

  const std::optional<std::string> seconds = url.parameter("seconds");
  if (!seconds) return request;
  uint64_t value = 0;
  const uint64_t most = static_cast<uint64_t>(max_delta.count());
  if (!parse_decimal(*seconds, value) || value == 0 || value > most) {
    return failure(ErrorCode::kInvalidArgument,
                   "invalid value \"" + escape_control(*seconds) +
                       "\" for seconds: it must be a positive integer up to " +
                       std::to_string(most));
  }
  if (*debug) {
    return failure(ErrorCode::kInvalidArgument, "seconds and debug params are incompatible");
  }
  request.seconds = std::chrono::seconds(value);
  return request;
}

HttpResponse profile_response(EncodedProfile profile, const ProfileOptions& options) {
  HttpResponse response;
  response.content_type = std::move(profile.content_type);
  if (options.debug == 0) {
    response.headers.emplace_back("Content-Disposition",
                                  "attachment; filename=\"" + profile.filename + "\"");
  }
  response.body = std::move(profile.bytes);
  return response;
}

// Address list of /symbol: "0x1+0x2", as go tool pprof sends it.
Result<std::vector<uint64_t>> parse_addresses(std::string_view text) {
  std::vector<uint64_t> out;
  while (!text.empty()) {
    const size_t plus = text.find('+');
    std::string_view word = text.substr(0, plus);
    text.remove_prefix(plus == std::string_view::npos ? text.size() : plus + 1);
    while (!word.empty() && (word.back() == '\n' || word.back() == '\r')) word.remove_suffix(1);
    if (word.empty()) continue;
    const std::string_view digits = word.starts_with("0x") ? word.substr(2) : std::string_view();
    uint64_t address = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address, 16);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return failure(ErrorCode::kInvalidArgument,
                     "invalid address \"" + escape_control(word.substr(0, 64)) +
                         "\": it must be hexadecimal, as in 0x55d0; join several with +");
    }
    out.push_back(address);
  }
  return out;
}

// What is mapped now goes before what was; among the latter the last.
const Module* module_of(const Snapshot& snapshot, uint64_t address) {
  const Module* best = nullptr;
  for (const Module& module : snapshot.modules) {
    if (address < module.start || address >= module.end) continue;
    const bool better =
        best == nullptr || (module.unloaded_unix_ns == 0) ||
        (best->unloaded_unix_ns != 0 && module.unloaded_unix_ns > best->unloaded_unix_ns);
    if (better) best = &module;
  }
  return best;
}

// Readers of either format ask for addresses inside the call, see SymbolSource.
std::string name_of(const Snapshot& snapshot, uint64_t address, SymbolSource* symbols) {
  if (symbols == nullptr) return {};
  const Module* module = module_of(snapshot, address);
  if (module == nullptr) return {};
  const std::vector<SourceFrame> frames = symbols->lookup(*module, address);
  return frames.empty() ? std::string() : escape_control(frames.front().function);
}

std::string hex(uint64_t value) {
  char digits[16];
  auto result = std::to_chars(digits, digits + sizeof(digits), value, 16);
  return "0x" + std::string(digits, result.ptr);
}

// Addresses of a GET: the query without its name=value parameters.
std::string addresses_in_query(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    if (item.find('=') != std::string_view::npos) continue;
    if (!out.empty()) out += '+';
    out += item;
  }
  return out;
}

}  // namespace

HttpResponse pprof_error(int status, const std::string& message) {
  HttpResponse response = text_response(status, message + "\n");
  response.headers.emplace_back("X-Go-Pprof", "1");
  return response;
}

PprofEndpoints::PprofEndpoints(const HttpOptions& options, const HttpContext& context)
    : options_(options),
      context_(context),
      waiting_deltas_(std::make_shared<std::atomic<size_t>>(0)) {}

HttpReply PprofEndpoints::index(const Url& url, const std::string& process) const {
  if (process.empty() && !url.parameter("pid")) {
    // Without a choice the page of the only process, else the page to choose from.
    const Result<SnapshotPtr> only = look_up_process(*context_.registry, "");
    if (!only) return process_list_page(context_.registry->list());
    return profile_list_page(**only);
  }
  const Result<SnapshotPtr> found = look_up_process(*context_.registry, url, process);
  if (!found) return lookup_error(found.error());
  return profile_list_page(**found);
}

// The newest snapshot of that process; null when it is no longer retained.
SnapshotPtr PprofEndpoints::refreshed(const SnapshotPtr& snapshot) const {
  const std::string& key = snapshot->identity.key;
  if (snapshot->state == ProcessState::kRunning && context_.refresh) {
    context_.refresh(key, options_.refresh_timeout);
  }
  return context_.registry->find_key(key);
}

HttpReply PprofEndpoints::profile(ProfileKind kind, const Url& url, const std::string& process) {
  const Result<ProfileRequest> request = parse_request(url, options_.max_delta);
  if (!request) return pprof_error(400, request.error().message);
  if (kind == ProfileKind::kPeakHeap && request->seconds.count() != 0) {
    return pprof_error(400, "the profile peakheap has no change over seconds: it is of one moment");
  }
  const Result<SnapshotPtr> found = look_up_process(*context_.registry, url, process);
  if (!found) return lookup_error(found.error());
  SnapshotPtr snapshot = refreshed(*found);
  if (!snapshot) snapshot = *found;  // retention ended just now
  const ProfileOptions& options = request->options;
  if (request->seconds.count() == 0) {
    return profile_response(encode_profile(*snapshot, kind, options, context_.symbols), options);
  }
  if (snapshot->state != ProcessState::kRunning) {
    return pprof_error(400, "process " + std::to_string(snapshot->identity.pid) +
                                " has ended: seconds needs a running process");
  }
  if (waiting_deltas_->fetch_add(1) >= options_.max_waiting_deltas) {
    waiting_deltas_->fetch_sub(1);
    return pprof_error(503, "too many requests with seconds wait already; at most " +
                                std::to_string(options_.max_waiting_deltas) + " may");
  }
  // Gives the place back when the reply is sent or dropped, whichever comes.
  std::shared_ptr<void> place(nullptr, [count = waiting_deltas_](void*) { count->fetch_sub(1); });
  return DelayedResponse{request->seconds, [this, kind, options, snapshot, place] {
                           return delta(kind, options, snapshot);
                         }};
}

HttpResponse PprofEndpoints::delta(ProfileKind kind, const ProfileOptions& options,
                                   const SnapshotPtr& before) const {
  const SnapshotPtr after = refreshed(before);
  if (!after) {
    return pprof_error(404, "process " + std::to_string(before->identity.pid) +
                                " ended and is not retained any more");
  }
  if (!same_program(before->identity, after->identity)) {
    return pprof_error(409, "process " + std::to_string(before->identity.pid) +
                                " was replaced by another program (exec) within these seconds");
  }
  return profile_response(encode_delta(*before, *after, kind, options, context_.symbols), options);
}

HttpReply PprofEndpoints::cmdline(const Url& url, const std::string& process) const {
  const Result<SnapshotPtr> found = look_up_process(*context_.registry, url, process);
  if (!found) return lookup_error(found.error());
  std::string body;
  for (const std::string& word : (*found)->identity.command_line) {
    if (&word != &(*found)->identity.command_line.front()) body += '\0';
    body += word;
  }
  return text_response(200, std::move(body));
}

HttpReply PprofEndpoints::symbol(const HttpRequest& request, const Url& url,
                                 const std::string& process) const {
  const Result<SnapshotPtr> found = look_up_process(*context_.registry, url, process);
  if (!found) return lookup_error(found.error());
  const Result<std::vector<uint64_t>> addresses =
      parse_addresses(request.method == "POST" ? request.body : addresses_in_query(url.raw_query));
  if (!addresses) return pprof_error(400, addresses.error().message);
  std::string body = "num_symbols: 1\n";  // any number but 0: symbols can be had here
  for (uint64_t address : *addresses) {
    const std::string name = name_of(**found, address, context_.symbols);
    if (!name.empty()) body += hex(address) + " " + name + "\n";
  }
  return text_response(200, std::move(body));
}

}  // namespace liballoc::agent
