// dump.h - prints a segment file for people, without an agent: `allocctl dump FILE`.
//
// The file may be anything: all bytes come through agent/reader, and every string is escaped. Must
// never print a value that was not copied and checked first.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "agent/cli/options.h"

namespace liballoc::agent {

// "header, directory, ... and faults".
[[nodiscard]] std::string dump_section_names();
[[nodiscard]] bool is_dump_section(std::string_view name);

// Exit status kCliFailed where the file is no segment; the complaint begins with the name of the
// reason, such as "bad_magic".
[[nodiscard]] CliExit run_dump(const CliOptions& options, std::ostream& out, std::ostream& err);

}  // namespace liballoc::agent
