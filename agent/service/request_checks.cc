// request_checks.cc - see request_checks.h. Must never clamp a value silently.
#include "agent/service/request_checks.h"

#include <google/protobuf/util/field_mask_util.h>

#include <string>
#include <utility>

namespace liballoc::agent {
namespace {

using google::protobuf::util::FieldMaskUtil;

constexpr int64_t kMaxNanos = 999999999;

grpc::Status invalid(std::string message) {
  return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::move(message));
}

std::string shown(const google::protobuf::Duration& value) {
  return std::to_string(value.seconds()) + " s and " + std::to_string(value.nanos()) + " ns";
}

std::string shown(std::chrono::milliseconds value) {
  const int64_t ms = value.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

grpc::Status check_duration(std::string_view field, const google::protobuf::Duration& value,
                            std::chrono::milliseconds low, std::chrono::milliseconds high,
                            std::chrono::nanoseconds* out) {
  // Judged by its seconds first, so that the sum below cannot overflow.
  const std::chrono::seconds seconds(value.seconds());
  const bool well_formed = value.nanos() >= 0 && value.nanos() <= kMaxNanos && seconds.count() >= 0;
  if (well_formed && value.seconds() <= high.count() / 1000) {
    const auto total = seconds + std::chrono::nanoseconds(value.nanos());
    if (total >= low && total <= high) {
      *out = total;
      return grpc::Status::OK;
    }
  }
  return invalid(std::string(field) + ": " + shown(value) + " is not allowed; from " + shown(low) +
                 " to " + shown(high) + " is");
}

grpc::Status check_mask(const google::protobuf::FieldMask& mask) {
  for (const std::string& path : mask.paths()) {
    if (!FieldMaskUtil::IsValidPath<::liballoc::telemetry::v1::MemStats>(path)) {
      constexpr size_t kMaxShownBytes = 64;
      return invalid("field_mask: \"" + path.substr(0, kMaxShownBytes) +
                     "\" is no field of MemStats; names such as \"heap_alloc\" or \"by_size\" are "
                     "allowed");
    }
  }
  return grpc::Status::OK;
}

void apply_mask(const google::protobuf::FieldMask& mask,
                ::liballoc::telemetry::v1::MemStats* memstats) {
  if (!mask.paths().empty()) FieldMaskUtil::TrimMessage(mask, memstats);
}

}  // namespace liballoc::agent
