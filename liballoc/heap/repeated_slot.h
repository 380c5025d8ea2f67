// repeated_slot.h - looks for a slot that is twice among some free ones: it was freed twice. Touches no slot's memory.
#pragma once

#include <cstdint>

namespace liballoc {

// The first of the n slots that repeats one before it, or n. Compares within runs of 256. Slots that came in the order of their
// addresses, as those of a structure that is torn down often do, cost 4 instructions each; others are far from sorted, and a small
// hash table on the stack costs some 20, without a branch that depends on them.
uint32_t first_repeated(void* const* slots, uint32_t n);

}  // namespace liballoc
