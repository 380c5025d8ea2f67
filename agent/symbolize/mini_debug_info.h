// mini_debug_info.h - the compressed symbol table that some distributions leave in stripped files
// (.gnu_debugdata).
//
// Bounded: what does not fit in the limits below, or is damaged, counts as absent.
#pragma once

#include <string>

#include "agent/symbolize/elf_image.h"

namespace liballoc::agent {

// The ELF file inside the section, decompressed; "" when there is none.
[[nodiscard]] std::string read_mini_debug_info(const ElfImage& image);

}  // namespace liballoc::agent
