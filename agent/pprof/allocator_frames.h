// allocator_frames.h - which frames are the allocator itself, not the code that asked for memory.
//
// Pure functions on names. Must never claim a frame of the program: a dropped frame is lost to
// every reader.
#pragma once

#include <string_view>

namespace liballoc::agent {

// Is this file liballoc's shared library (liballoc.so, liballoc.so.1 ...)?
[[nodiscard]] bool is_allocator_module(std::string_view path);

// malloc and its kin, operator new, and what liballoc is made of; `name` is demangled.
[[nodiscard]] bool is_allocator_function(std::string_view name);

// The same functions, and the std::allocator frames around them, as profile.proto's drop_frames:
// RE2 syntax, matched against whole function names with or without their parameter list.
[[nodiscard]] std::string_view drop_frames_regexp();

}  // namespace liballoc::agent
