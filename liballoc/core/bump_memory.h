// bump_memory.h - memory that is handed out once and never again: lock-free, from any context, signal handlers included. Chunks
// come straight from the system and are linked, so that a pointer can be recognised. Never uses the heap, never gives memory back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"

namespace liballoc {

class BumpMemory {
 public:
  struct Header {  // before each block
    size_t bytes;
    uint32_t check;             // tells a block's begin from its middle
    std::atomic<uint32_t> tag;  // the caller's own
  };

  // Chunks of `first` bytes, each next one twice as large, up to `largest`.
  constexpr BumpMemory(size_t first, size_t largest) : first_(first), largest_(largest) {}

  // Zero-filled, aligned to 16 at least, a power of two. Null when the OS refuses.
  [[nodiscard]] void* allocate(size_t bytes, size_t align, uint32_t tag = 0);
  bool contains(const void* p) const;
  // Of the block that begins at p, which lies in here; null when none begins there.
  Header* header_of(const void* p) const;
  uint64_t sys_bytes() const { return sys_bytes_.load(); }

 private:
  struct Chunk {
    Chunk* next;
    uintptr_t end;
    std::atomic<uintptr_t> at;  // only grows; blocks are disjoint because each bump is one CAS
  };
  static void* bump(Chunk* chunk, size_t bytes, size_t align, uint32_t tag);
  Chunk* map_chunk(size_t bytes);

  const size_t first_, largest_;
  // Release when a chunk is pushed, acquire by readers: the chunk's fields are set.
  std::atomic<Chunk*> chunks_{nullptr};
  RelaxedCounter sys_bytes_;
};

}  // namespace liballoc
