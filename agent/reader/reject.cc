// reject.cc - the names of the reasons. Must never change one: dashboards group by them.
#include "agent/reader/reject.h"

namespace liballoc::agent {

std::string_view reject_name(Reject reason) {
  static constexpr std::array<std::string_view, kRejectCount> kNames = {
      "open_failed",         "not_regular_file", "wrong_owner",
      "wrong_mode",          "file_too_small",   "file_too_large",
      "read_failed",         "incomplete",       "bad_magic",
      "unsupported_version", "bad_header",       "name_mismatch",
      "truncated",           "bad_directory",    "bad_offset",
      "bad_stride",          "bad_count",        "overlap",
      "duplicate_section",   "missing_section"};
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace liballoc::agent
