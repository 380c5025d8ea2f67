// fixed_alloc.cc - see fixed_alloc.h.
#include "liballoc/meta/fixed_alloc.h"

namespace liballoc {

void* FixedAllocBase::allocate() {
  void* p = nullptr;
  if (free_ != nullptr) {
    p = free_;
    free_ = free_->next;
    if (zero_) memset(p, 0, bytes_);
  } else {
    if (chunk_at_ + bytes_ > chunk_end_ || chunk_at_ == 0) {
      const size_t chunk = bytes_ > kFixedChunkBytes ? bytes_ : kFixedChunkBytes;
      void* memory = persistent_alloc(chunk, 0, stat_);
      if (memory == nullptr) return nullptr;
      chunk_at_ = reinterpret_cast<uintptr_t>(memory);
      chunk_end_ = chunk_at_ + chunk;
    }
    p = reinterpret_cast<void*>(chunk_at_);  // fresh persistent memory is zero
    chunk_at_ += bytes_;
    if (first_ != nullptr) first_(p);
  }
  inuse_.set(inuse_.load() + bytes_);
  return p;
}

void FixedAllocBase::free(void* p) {
  LIBALLOC_DCHECK(p != nullptr && inuse_.load() >= bytes_);
  auto* link = static_cast<Link*>(p);
  link->next = free_;
  free_ = link;
  inuse_.set(inuse_.load() - bytes_);
}

}  // namespace liballoc
