// repeated_slot.h - looks for a slot that is twice among some free ones: it was freed twice. Touches no slot's memory.
#pragma once

#include <cstdint>

namespace liballoc {

// The first of the n slots that repeats one before it, or n. Compares within runs of 256, by a small hash table on the stack, since
// slots in a cache are far from sorted: some 20 instructions a slot, and no branch that depends on the slots.
uint32_t first_repeated(void* const* slots, uint32_t n);

}  // namespace liballoc
