// emergency.cc - see emergency.h.
#include "liballoc/core/emergency.h"

#include "liballoc/core/bump_memory.h"
#include "liballoc/heap/size_trust.h"

namespace liballoc {

namespace {
constexpr size_t kChunkBytes = 64 * 1024;
constinit BumpMemory g_reserve{kChunkBytes, kChunkBytes};
}  // namespace

void* emergency_alloc(size_t bytes, size_t align) {
  void* p = g_reserve.allocate(bytes, align);
  mark_page(reinterpret_cast<uintptr_t>(p));  // a sized delete puts it in no bin
  return p;
}
bool in_emergency(const void* p) { return g_reserve.contains(p); }
size_t emergency_usable(const void* p) {
  const BumpMemory::Header* header = g_reserve.header_of(p);
  return header != nullptr ? header->bytes : 0;
}
uint64_t emergency_sys_bytes() { return g_reserve.sys_bytes(); }

}  // namespace liballoc
