// view_options.cc - see view_options.h. Must never talk to an agent or open a file.
#include "agent/cli/view_options.h"

#include <charconv>
#include <string_view>

#include "agent/base/text.h"
#include "agent/cli/dump.h"
#include "agent/messages/names.h"

namespace liballoc::agent {
namespace {

namespace pb = ::liballoc::telemetry::v1;

constexpr uint64_t kMaxCount = uint64_t{1} << 32;
constexpr uint64_t kMaxAgeSeconds = uint64_t{3650} * 24 * 3600;

void add_process(CLI::App* command, CliOptions& options) {
  command->add_option("PID", options.process, "Which process");
}

void add_sizes(CLI::App* command, RawViewOptions& raw) {
  command
      ->add_option("--size", raw.sizes,
                   "Only slots of so many bytes, as in `classes`; large for large objects")
      ->delimiter(',');
}

void declare_spans(CLI::App& app, RawViewOptions& raw, CliOptions& options) {
  CLI::App* spans = app.add_subcommand("spans", "The spans of a heap, by address");
  add_process(spans, options);
  spans->add_option("--state", options.states, "Only these: " + span_state_names())->delimiter(',');
  add_sizes(spans, raw);
  spans->add_option("--min-occupancy", options.min_occupancy, "At least so full, in percent")
      ->check(CLI::Range(0.0, 100.0));
  spans->add_option("--max-occupancy", options.max_occupancy, "At most so full, in percent")
      ->check(CLI::Range(0.0, 100.0));
  spans->add_option("--min-age", options.min_age_seconds, "Unchanged for so many seconds")
      ->check(CLI::Range(uint64_t{0}, kMaxAgeSeconds));
  spans->add_option("--limit", options.limit, "End after so many")
      ->check(CLI::Range(uint64_t{1}, kMaxCount));
}

void declare_events(CLI::App& app, RawViewOptions& raw, CliOptions& options) {
  CLI::App* events = app.add_subcommand("events", "What happens in a heap, as it happens");
  add_process(events, options);
  events->add_flag("--from-oldest", options.from_oldest, "Begin with the oldest event there is");
  events->add_option("--kind", options.kinds, "Only these: " + event_kind_names())->delimiter(',');
  add_sizes(events, raw);
  events->add_option("--count", options.count, "End after so many events")
      ->check(CLI::Range(uint64_t{1}, kMaxCount));
  events->add_option("--interval", raw.interval, "Seconds between two readings (default: 0.1)")
      ->check(CLI::Range(0.01, 3600.0));
}

void declare_top(CLI::App& app, RawViewOptions& raw, CliOptions& options) {
  CLI::App* top =
      app.add_subcommand("top", "The processes with the largest heaps, again and again");
  top->add_option("--interval", raw.interval, "Seconds between two readings (default: 1)")
      ->check(CLI::Range(0.1, 3600.0));
  top->add_option("--count", options.count, "End after so many readings")
      ->check(CLI::Range(uint64_t{1}, kMaxCount));
  top->add_option("--limit", options.limit, "At most so many processes")
      ->check(CLI::Range(uint64_t{1}, kMaxCount));
}

bool parse_address(std::string_view text, uint64_t* out) {
  if (!text.starts_with("0x")) return false;
  text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out, 16);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() && *out != 0;
}

template <typename Enum>
std::optional<std::string> check_names(const char* option, const std::vector<std::string>& names,
                                       const std::string& allowed) {
  for (const std::string& name : names) {
    Enum value{};
    if (parse_short_name(name, &value)) continue;
    return std::string(option) + ": \"" + escape_control(name) + "\" is none; " + allowed +
           " are allowed";
  }
  return std::nullopt;
}

}  // namespace

void declare_views(CLI::App& app, RawViewOptions& raw, CliOptions& options) {
  declare_spans(app, raw, options);
  CLI::App* classes = app.add_subcommand("classes", "The size classes of a heap, and their waste");
  add_process(classes, options);
  classes->add_flag("--all", options.all, "Also those that were never used");
  CLI::App* map = app.add_subcommand("map", "What the pages of each arena are used for");
  add_process(map, options);
  map->add_flag("--runs", options.runs, "Each run of pages");
  map->add_option("--address", raw.address, "Only the arena with this address (0x...)");
  declare_events(app, raw, options);
  declare_top(app, raw, options);
  CLI::App* dump = app.add_subcommand("dump", "Print a segment file; asks no agent");
  dump->add_option("FILE", options.file, "Such as /dev/shm/liballoc.1234.5678")->required();
  dump->add_option("--section", options.sections, "Only these: " + dump_section_names())
      ->delimiter(',');
}

std::optional<std::string> check_views(const CLI::App& app, const RawViewOptions& raw,
                                       CliOptions& options) {
  const struct {
    const char* name;
    CliCommand command;
  } kCommands[] = {{"spans", CliCommand::kSpans}, {"classes", CliCommand::kClasses},
                   {"map", CliCommand::kMap},     {"events", CliCommand::kEvents},
                   {"top", CliCommand::kTop},     {"dump", CliCommand::kDump}};
  for (const auto& [name, command] : kCommands) {
    if (app.got_subcommand(name)) options.command = command;
  }
  if (options.command == CliCommand::kEvents) options.interval = std::chrono::milliseconds(100);
  if (raw.interval != 0) {
    options.interval = std::chrono::milliseconds(static_cast<int64_t>(raw.interval * 1000 + 0.5));
  }
  if (auto bad = check_names<pb::SpanState>("--state", options.states, span_state_names())) {
    return bad;
  }
  if (auto bad = check_names<pb::EventKind>("--kind", options.kinds, event_kind_names())) {
    return bad;
  }
  for (const std::string& text : raw.sizes) {
    uint64_t bytes = 0;
    const bool large = text == "large";
    if (!large && (!parse_decimal(text, bytes) || bytes == 0 || bytes > UINT32_MAX)) {
      return "--size: \"" + escape_control(text) + "\" is no size; bytes such as 64, or large, " +
             "are allowed";
    }
    options.sizes.push_back(static_cast<uint32_t>(bytes));
  }
  if (options.min_occupancy > options.max_occupancy) {
    return std::string("--min-occupancy is above --max-occupancy: no span can match");
  }
  if (!raw.address.empty() && !parse_address(raw.address, &options.address)) {
    return "--address: \"" + escape_control(raw.address) +
           "\" is no address; hexadecimal such as 0x7f0000000000 is allowed";
  }
  for (const std::string& name : options.sections) {
    if (is_dump_section(name)) continue;
    return "--section: \"" + escape_control(name) + "\" is none; " + dump_section_names() +
           " are allowed";
  }
  if (options.command == CliCommand::kDump && options.json) {
    return std::string("--json: dump prints text for people; ask an agent for JSON");
  }
  return std::nullopt;
}

}  // namespace liballoc::agent
