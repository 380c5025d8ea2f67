// bind_error.h - why an address could not be listened on, which gRPC does not tell.
//
// Diagnosis only, after a failure: tries the same bind and closes it. Must never keep a socket.
#pragma once

#include <string>

namespace liballoc::agent {

// `address` is "host:port" or "[v6]:port". Such as "Address already in use"; never empty.
[[nodiscard]] std::string explain_bind_failure(const std::string& address);

}  // namespace liballoc::agent
