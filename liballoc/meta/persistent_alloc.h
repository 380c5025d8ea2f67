// persistent_alloc.h - memory for the allocator's own metadata that is never freed: bump allocation out of 256 KiB chunks.
// Zero-filled. Requests of 64 KiB and more go to the OS directly. Chunks are linked, so that membership can be answered.
// Thread-safe; lock rank kMeta. Never calls malloc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"

namespace liballoc {

inline constexpr size_t kPersistentChunkBytes = 256 * 1024;
inline constexpr size_t kPersistentDirectBytes = 64 * 1024;
inline constexpr size_t kPersistentDefaultAlign = 8;

// `align` a power of two up to the system page, 0 = default. Adds the bytes to `stat`. Null when the OS refuses.
[[nodiscard]] void* persistent_alloc(size_t bytes, size_t align, RelaxedCounter& stat);

// Whether p points into a chunk (not: into a direct allocation).
bool in_persistent_alloc(const void* p);

// Bytes taken from the OS that no caller has yet: the rest of chunks. They count as "other" metadata.
uint64_t persistent_unused_bytes();

void persistent_lock_for_fork();
void persistent_unlock_after_fork(bool in_child);

}  // namespace liballoc
