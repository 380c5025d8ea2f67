// module_finder.h - which loaded file an address belongs to, without a lock: glibc's
// _dl_find_object and the image itself. Odd images (no ELF header in front, headers elsewhere) give
// a range without a build id, never a fault.
#pragma once

#include <cstdint>

#include "liballoc/telemetry_abi.h"

namespace liballoc {

using FoundModule = liballoc_abi_module;

// Fills in start, end, file_offset, load_bias, build id and path of the executable segment that
// `pc` lies in; the times stay 0. An empty path is the main program, whose name is /proc/self/exe.
// False when no loaded file covers pc.
bool find_module(uintptr_t pc, FoundModule* out);

}  // namespace liballoc
