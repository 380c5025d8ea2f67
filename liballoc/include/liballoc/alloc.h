/* alloc.h - what liballoc offers beyond malloc. C and C++. Programs need none of it: preloading the library is enough. */
#ifndef LIBALLOC_ALLOC_H_
#define LIBALLOC_ALLOC_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library, "major.minor.patch". Thread-safe; the string is static. */
const char* liballoc_version(void);

/* As malloc(bytes), but all requests of 0 bytes get the same address, which costs nothing: it is not NULL, must not be read or
 * written, has the usable size 0, and may be given to free() and realloc() as often as one likes. Thread-safe. */
void* liballoc_malloc(size_t bytes);

/* As malloc(bytes), for memory that will hold no pointers: it is kept in spans of its own, and out of core dumps. Objects under
 * 16 bytes share blocks and have the alignment of their size: 8, 4, 2 or 1, the largest that divides it. Free with free(). NULL
 * and ENOMEM when memory ran out. Thread-safe. */
void* liballoc_malloc_noscan(size_t bytes);

/* As aligned_alloc(align, bytes), for memory that will hold no pointers. EINVAL when `align` is no power of two. */
void* liballoc_aligned_alloc_noscan(size_t align, size_t bytes);

/* Returns at least `bytes` of idle memory to the OS now, the largest spans first, whatever its age; SIZE_MAX for all.
 * Gives the number of bytes returned. Thread-safe; may take long on large heaps. */
size_t liballoc_release_memory(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* LIBALLOC_ALLOC_H_ */
