// fixed_alloc.h - free-list allocator of one type over persistent_alloc: 16 KiB at a time, objects are reused, memory
// is never given back. Not thread-safe: each instance is guarded by the lock of its owner. Never calls malloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "liballoc/base/check.h"
#include "liballoc/meta/persistent_alloc.h"

namespace liballoc {

inline constexpr size_t kFixedChunkBytes = 16 * 1024;

// The untyped half: sizes are in bytes.
class FixedAllocBase {
 public:
  using FirstHook = void (*)(void* object);

  // `zero`: objects are handed out zero-filled. `first`: called once per object, before it is handed out the first time.
  constexpr FixedAllocBase(size_t bytes, RelaxedCounter& stat, bool zero, FirstHook first = nullptr)
      : bytes_(bytes < sizeof(Link) ? sizeof(Link) : (bytes + 7) & ~size_t{7}), stat_(stat), zero_(zero), first_(first) {}

  [[nodiscard]] void* allocate();  // null when the OS refuses
  void free(void* p);

  uint64_t inuse_bytes() const { return inuse_.load(); }
  uint64_t inuse_objects() const { return inuse_.load() / bytes_; }
  size_t object_bytes() const { return bytes_; }

 private:
  struct Link {
    Link* next;
  };
  size_t bytes_;
  RelaxedCounter& stat_;
  bool zero_;
  FirstHook first_;
  Link* free_ = nullptr;
  uintptr_t chunk_at_ = 0;
  uintptr_t chunk_end_ = 0;
  RelaxedCounter inuse_;  // written under the owner's lock, read without it by the statistics
};

template <typename T>
class FixedAlloc {
 public:
  constexpr explicit FixedAlloc(RelaxedCounter& stat, bool zero = true, FixedAllocBase::FirstHook first = nullptr)
      : base_(sizeof(T), stat, zero, first) {
    static_assert(alignof(T) <= 8);
  }
  [[nodiscard]] T* allocate() { return static_cast<T*>(base_.allocate()); }
  void free(T* p) { base_.free(p); }
  uint64_t inuse_bytes() const { return base_.inuse_bytes(); }
  uint64_t inuse_objects() const { return base_.inuse_objects(); }

 private:
  FixedAllocBase base_;
};

}  // namespace liballoc
