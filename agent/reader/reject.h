// reject.h - the closed list of reasons for which a segment is not read. Each has a stable name: it
// is a metric label.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace liballoc::agent {

enum class Reject {
  kOpenFailed,  // gone, no permission, or a symbolic link
  kNotRegularFile,
  kWrongOwner,    // neither ours nor are we root; or not of a user that the process belongs to
  kWrongMode,     // group or others may touch it
  kFileTooSmall,  // no room for a header
  kFileTooLarge,
  kReadFailed,
  kIncomplete,  // no magic yet, and not for lack of time
  kBadMagic,
  kUnsupportedVersion,  // another major
  kBadHeader,           // sizes in the header that cannot be
  kNameMismatch,        // the header's pid or start time is not the file name's
  kTruncated,           // the file ends before valid_bytes
  kBadDirectory,
  kBadOffset,  // a section that is misaligned or outside valid_bytes
  kBadStride,
  kBadCount,
  kOverlap,           // two sections, or a section and the header, share bytes
  kDuplicateSection,  // a second extent where only one can be
  kMissingSection,
};
inline constexpr size_t kRejectCount = static_cast<size_t>(Reject::kMissingSection) + 1;

// "wrong_owner" and so on.
std::string_view reject_name(Reject reason);

struct RejectError {
  Reject reason;
  std::string detail;  // the value found and what is allowed; may hold foreign text, so escape it
                       // when shown
};

template <typename T>
using ReadResult = Result<T, RejectError>;

inline Failure<RejectError> reject(Reject reason, std::string detail) {
  return {RejectError{reason, std::move(detail)}};
}

}  // namespace liballoc::agent
