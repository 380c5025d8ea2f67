// linear_alloc.h - bump allocator over one pre-reserved range that is mapped as it advances (Reserved -> Ready). For metadata
// that wants consecutive addresses: one heap_arena after the other. Not thread-safe: guarded by the owner's lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"

namespace liballoc {

class LinearAlloc {
 public:
  constexpr LinearAlloc() = default;
  // Reserves `bytes` of address space. False when the OS refuses.
  [[nodiscard]] bool init(size_t bytes);
  // Zero-filled; null when the range is used up or the OS refuses. Adds what was mapped to `stat`.
  [[nodiscard]] void* allocate(size_t bytes, size_t align, RelaxedCounter& stat);
  size_t used_bytes() const { return at_ - begin_; }
  bool initialised() const { return begin_ != 0; }

 private:
  uintptr_t begin_ = 0, at_ = 0, mapped_ = 0, end_ = 0;
};

}  // namespace liballoc
