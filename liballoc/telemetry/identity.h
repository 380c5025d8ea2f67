// identity.h - who this process is, mostly from /proc/self: executable, command line, start time,
// namespaces. What cannot be read stays 0 or empty. Uses the caller's scratch memory, so the stack
// stays small; never allocates.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry_abi.h"

namespace liballoc {

// Field 22 of a /proc/PID/stat text: start time in clock ticks since boot. The command in field 2
// may hold anything, also blanks and brackets. 0 when the text is not of that form.
uint64_t parse_start_ticks(const char* stat, size_t bytes);

// The path of the process in a /proc/PID/cgroup text: that of the unified hierarchy, else that of
// the memory controller, else the first. Copied NUL-terminated, cut to out_bytes.
void parse_cgroup(const char* text, size_t bytes, char* out, size_t out_bytes);

// The words, each with its NUL, as /proc/self/cmdline has them; what has no room is cut off. Returns the bytes.
size_t copy_arguments(const char* const* words, size_t count, char* out, size_t out_bytes);

// Room for a cgroup text of thirteen hierarchies with long paths: of a text that is cut, the unified one would be lost, which is last.
inline constexpr size_t kIdentityScratchBytes = 8192;
uint64_t own_start_ticks(char* scratch);
// Wall time of the process start: now, less the age that the ticks tell. 0: not known.
uint64_t start_realtime_ns(uint64_t start_ticks, uint64_t now_realtime_ns);
uint32_t own_pid_namespace();
// The command line is `arguments`; null: what /proc says.
void fill_identity(const char* service, const char* const* arguments, size_t argument_count, char* scratch,
                   liballoc_abi_identity* out);

}  // namespace liballoc
