// request_checks.h - durations and field masks as clients send them, checked.
//
// Pure functions; every refusal names the field, the value and what is allowed. Must never clamp a
// value silently.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <string_view>

#include "liballoc/telemetry/v1/memstats.pb.h"

namespace liballoc::agent {

// A duration between `low` and `high`, both allowed. INVALID_ARGUMENT otherwise; then `out` is
// untouched.
[[nodiscard]] grpc::Status check_duration(std::string_view field,
                                          const google::protobuf::Duration& value,
                                          std::chrono::milliseconds low,
                                          std::chrono::milliseconds high,
                                          std::chrono::nanoseconds* out);

// INVALID_ARGUMENT where a path is no field of MemStats.
[[nodiscard]] grpc::Status check_mask(const google::protobuf::FieldMask& mask);

// Clears the fields that a mask leaves out. An empty mask leaves none out. The mask has passed
// check_mask().
void apply_mask(const google::protobuf::FieldMask& mask,
                ::liballoc::telemetry::v1::MemStats* memstats);

}  // namespace liballoc::agent
