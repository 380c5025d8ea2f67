// own_image.cc - see own_image.h.
#include "liballoc/os/own_image.h"

#include <cstddef>
#include <cstdint>

#include "liballoc/base/bits.h"
#include "liballoc/base/syscall.h"
#include "liballoc/os/sys_mem.h"

// The linker's, in every image: its first byte, and where what is written to begins. A program without a dynamic section has
// no `_DYNAMIC`.
extern "C" {
extern const char __ehdr_start[] __attribute__((visibility("hidden"), weak));
extern const char _DYNAMIC[] __attribute__((visibility("hidden"), weak));
}

namespace liballoc {

namespace {

constexpr long kMadvPopulateRead = 22;  // Linux 5.14; older headers do not have it
// The library has a quarter of it. A program that it is linked into may be far larger, and does not start with all of its code.
constexpr size_t kLargestImage = size_t{1} << 20;

}  // namespace

void map_own_image() {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(__ehdr_start);
  const uintptr_t end = align_down(reinterpret_cast<uintptr_t>(_DYNAMIC), system_page_bytes());
  if (begin == 0 || end <= begin || end - begin > kLargestImage) return;
  sys::raw_syscall(SYS_madvise, static_cast<long>(begin), static_cast<long>(end - begin), kMadvPopulateRead);
}

}  // namespace liballoc
