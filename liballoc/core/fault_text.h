// fault_text.h - what a report of misuse says beyond its first line: the object, its span, and
// stacks as module and offset. Writes to standard error with write(2) alone; takes no lock,
// allocates nothing, changes nothing.
#pragma once

#include <cstdint>

#include "liballoc/base/check.h"
#include "liballoc/heap/span.h"

namespace liballoc {

// " 48-byte object, slot 3 of 170 (12 taken), span of 1 page at 0xc000002000, cached by thread 7"
void describe_object(LineBuffer& line, const Span* span, uintptr_t address);

// "  title:" and a line per frame: address, file, and the address inside the file as addr2line -e
// takes it.
void print_stack(const char* title, const uint64_t* pcs, uint32_t depth);

}  // namespace liballoc
