// limits.h - every bound of the symbolizer in one place, each with its reason. Files and build ids
// come from others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc::agent {

// libdw keeps a file's debug sections in memory. Chromium's have 3 GiB, a large server's 300 MiB.
inline constexpr uint64_t kMaxDebugBytes = uint64_t{512} << 20;
// A line program makes up to one row of 48 bytes of each of its bytes; the largest Debian program
// has 30 MiB of them.
inline constexpr uint64_t kMaxLineBytes = uint64_t{64} << 20;
// Symbol and string tables; libLLVM's have 30 MiB.
inline constexpr uint64_t kMaxSymbolBytes = uint64_t{256} << 20;
// .gnu_debugdata, decompressed, and the memory of the decompressor; Fedora's largest are a few MiB.
inline constexpr uint64_t kMaxMiniDebugBytes = uint64_t{64} << 20;
inline constexpr uint32_t kMaxSymbols = 4'000'000;
inline constexpr size_t kMaxNameBytes = 4096;
// Debugging entries walked per compilation unit; the largest unit of a Debian program has about a
// million.
inline constexpr uint32_t kMaxDiesPerUnit = 4'000'000;
inline constexpr uint32_t kMaxUnits = 500'000;
inline constexpr uint32_t kMaxRangesPerUnit = 2'000'000;
inline constexpr uint32_t kMaxLineRowsPerUnit = 4'000'000;
inline constexpr uint32_t kMaxDieDepth = 256;   // nesting of scopes; compilers stay below 60
inline constexpr size_t kMaxInlineDepth = 128;  // frames of one address

}  // namespace liballoc::agent
