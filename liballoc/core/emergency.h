// emergency.h - memory for a request that comes while the same thread is inside the allocator's slow path (a signal handler
// that allocates). Lock-free bump allocation; never reused. free() recognises it and lets it be.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

// 16-byte aligned at least; null when the OS refuses.
[[nodiscard]] void* emergency_alloc(size_t bytes, size_t align);
bool in_emergency(const void* p);
// Usable bytes of a block that in_emergency().
size_t emergency_usable(const void* p);
// Taken from the OS so far.
uint64_t emergency_sys_bytes();

}  // namespace liballoc
