// malloc.cc - the C allocation functions under their public names. Thin: errno and argument rules live here, memory in core/.
// Must never be linked into anything that is to keep its own malloc: tests link liballoc_core instead.
#include <errno.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "liballoc/alloc.h"
#include "liballoc/api/lifecycle.h"
#include "liballoc/base/bits.h"
#include "liballoc/core/allocator.h"
#include "liballoc/core/large_objects.h"
#include "liballoc/core/memory_figures.h"
#include "liballoc/os/sys_mem.h"

using liballoc::AllocationRequest;

namespace {

LIBALLOC_NEEDS_LIFECYCLE;

LIBALLOC_COLD void* fail(int error) {
  errno = error;
  return nullptr;
}

inline void* or_enomem(void* p) { return LIBALLOC_LIKELY(p != nullptr) ? p : fail(ENOMEM); }

LIBALLOC_NOINLINE void* malloc_slow(size_t bytes) { return or_enomem(liballoc::allocate_plain_slow(bytes)); }

}  // namespace

extern "C" {

LIBALLOC_PLACE_HIT_PATH(malloc);
LIBALLOC_EXPORT LIBALLOC_HIT_PATH(malloc) void* malloc(size_t bytes) { return liballoc::allocate_or<malloc_slow>(bytes); }

LIBALLOC_PLACE_HIT_PATH(free);
LIBALLOC_EXPORT LIBALLOC_HIT_PATH(free) void free(void* p) { liballoc::release(p); }

// C23. The size is the one the object was asked for with; looked at in slow paths.
LIBALLOC_EXPORT void free_sized(void* p, size_t bytes) {
  liballoc::release_or<liballoc::release_sized_slow>(p, bytes, size_t{1});
}
LIBALLOC_EXPORT void free_aligned_sized(void* p, size_t align, size_t bytes) {
  liballoc::release_or<liballoc::release_sized_slow>(p, bytes, align);
}

LIBALLOC_EXPORT void* calloc(size_t count, size_t each) {
  size_t bytes = 0;
  if (LIBALLOC_UNLIKELY(!liballoc::checked_mul(count, each, &bytes))) return fail(ENOMEM);
  return or_enomem(liballoc::allocate_general({bytes, 8, false, true}));
}

LIBALLOC_EXPORT void* realloc(void* p, size_t bytes) {
  if (p == nullptr) return malloc(bytes);
  if (bytes == 0) {  // as glibc: frees, and there is no object any more
    free(p);
    return nullptr;
  }
  const size_t usable = liballoc::usable_size(p, "realloc");
  if (usable > liballoc::kMaxSmallBytes && bytes > liballoc::kMaxSmallBytes &&
      liballoc::resize_large(p, bytes))
    return p;
  // Stays where it is unless it grows out of its slot or would waste half of it.
  if (bytes <= usable && bytes >= usable / 2) return p;
  const bool noscan = LIBALLOC_UNLIKELY(liballoc::is_noscan(p));
  void* moved = noscan ? liballoc::allocate_slow({bytes, 1, true, false}) : liballoc::allocate(bytes);
  if (moved == nullptr) return bytes <= usable ? p : fail(ENOMEM);  // a smaller size never fails
  memcpy(moved, p, bytes < usable ? bytes : usable);
  liballoc::release(p);
  return moved;
}

LIBALLOC_EXPORT void* reallocarray(void* p, size_t count, size_t each) {
  size_t bytes = 0;
  if (LIBALLOC_UNLIKELY(!liballoc::checked_mul(count, each, &bytes))) return fail(ENOMEM);
  return realloc(p, bytes);
}

LIBALLOC_EXPORT void* aligned_alloc(size_t align, size_t bytes) {
  if (LIBALLOC_UNLIKELY(!liballoc::is_power_of_two(align))) return fail(EINVAL);
  return or_enomem(liballoc::allocate_general({bytes, align, false, false}));
}

// Alignments that are no power of two are rounded up, as glibc does.
LIBALLOC_EXPORT void* memalign(size_t align, size_t bytes) {
  if (LIBALLOC_UNLIKELY(align > (SIZE_MAX >> 1) + 1)) return fail(EINVAL);
  return aligned_alloc(std::bit_ceil(align == 0 ? size_t{1} : align), bytes);
}

// Reports by its result alone: errno stays as it was.
LIBALLOC_EXPORT int posix_memalign(void** out, size_t align, size_t bytes) {
  if (!liballoc::is_power_of_two(align) || align % sizeof(void*) != 0) return EINVAL;
  void* p = liballoc::allocate_general({bytes, align, false, false});
  if (p == nullptr) return ENOMEM;
  *out = p;
  return 0;
}

LIBALLOC_EXPORT void* valloc(size_t bytes) { return aligned_alloc(liballoc::system_page_bytes(), bytes); }

LIBALLOC_EXPORT void* pvalloc(size_t bytes) {
  const size_t page = liballoc::system_page_bytes();
  size_t rounded = 0;
  if (!liballoc::checked_align_up(bytes, page, &rounded)) return fail(ENOMEM);
  return aligned_alloc(page, rounded == 0 ? page : rounded);
}

LIBALLOC_EXPORT size_t malloc_usable_size(void* p) { return liballoc::usable_size(p); }

LIBALLOC_EXPORT const char* liballoc_version(void) { return LIBALLOC_VERSION; }

LIBALLOC_EXPORT void* liballoc_malloc(size_t bytes) {
  return LIBALLOC_UNLIKELY(bytes == 0) ? liballoc::zero_size_address() : malloc(bytes);
}

LIBALLOC_EXPORT void* liballoc_malloc_noscan(size_t bytes) {
  return or_enomem(liballoc::allocate_slow({bytes, 1, true, false}));
}

LIBALLOC_EXPORT void* liballoc_aligned_alloc_noscan(size_t align, size_t bytes) {
  if (LIBALLOC_UNLIKELY(!liballoc::is_power_of_two(align))) return fail(EINVAL);
  return or_enomem(liballoc::allocate_slow({bytes, align, true, false}));
}

LIBALLOC_EXPORT size_t liballoc_release_memory(size_t bytes) {
  return liballoc::release_memory(bytes);
}

}  // extern "C"
