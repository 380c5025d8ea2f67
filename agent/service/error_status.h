// error_status.h - an error of the model as the status of a call.
//
// A pure function. Must never change the message: it is written for the client.
#pragma once

#include <grpcpp/support/status.h>

#include "agent/base/result.h"

namespace liballoc::agent {

[[nodiscard]] inline grpc::Status to_status(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, error.message);
    case ErrorCode::kNotFound:
      return grpc::Status(grpc::StatusCode::NOT_FOUND, error.message);
    case ErrorCode::kPermissionDenied:
      return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, error.message);
    case ErrorCode::kUnavailable:
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, error.message);
    case ErrorCode::kResourceExhausted:
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, error.message);
    case ErrorCode::kInternal:
      break;
  }
  return grpc::Status(grpc::StatusCode::INTERNAL, error.message);
}

[[nodiscard]] inline grpc::Status to_status(const Status& status) {
  return status ? grpc::Status::OK : to_status(status.error());
}

}  // namespace liballoc::agent
