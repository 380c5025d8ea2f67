// linear_alloc.cc - see linear_alloc.h.
#include "liballoc/meta/linear_alloc.h"

#include "liballoc/base/bits.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

bool LinearAlloc::init(size_t bytes) {
  bytes = align_up(bytes, system_page_bytes());
  void* p = sys_reserve(nullptr, bytes);
  if (p == nullptr) return false;
  begin_ = at_ = mapped_ = reinterpret_cast<uintptr_t>(p);
  end_ = begin_ + bytes;
  return true;
}

void* LinearAlloc::allocate(size_t bytes, size_t align, RelaxedCounter& stat) {
  const uintptr_t at = align_up(at_, align);
  if (begin_ == 0 || at + bytes > end_ || at + bytes < at) return nullptr;
  const uintptr_t need = align_up(at + bytes, system_page_bytes());
  if (need > mapped_) {
    void* from = reinterpret_cast<void*>(mapped_);
    if (!sys_map(from, need - mapped_)) return nullptr;
    sys_used(from, need - mapped_);
    stat.add(need - mapped_);
    mapped_ = need;
  }
  at_ = at + bytes;
  return reinterpret_cast<void*>(at);
}

}  // namespace liballoc
