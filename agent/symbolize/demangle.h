// demangle.h - C++ names for people. Bounded in time and memory for names that were made to
// explode.
#pragma once

#include <string>
#include <string_view>

namespace liballoc::agent {

// The demangled form, or `name` itself when it is not a mangled name or would grow out of bounds.
[[nodiscard]] std::string demangle(std::string_view name);

}  // namespace liballoc::agent
