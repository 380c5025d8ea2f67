// compiler.h - attributes and branch hints. No declarations of behaviour; never includes another project file.
#pragma once

#include <cstddef>

#define LIBALLOC_LIKELY(x) __builtin_expect(!!(x), 1)
#define LIBALLOC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LIBALLOC_INLINE inline __attribute__((always_inline))
#define LIBALLOC_NOINLINE __attribute__((noinline))
#define LIBALLOC_COLD __attribute__((noinline, cold))
// Where hits run: in a section of its own that LIBALLOC_PLACE_HIT_PATH() began before, so that what the linker puts around it
// cannot make it slower. It begins 16 bytes into a cache line: then the branches that a sample takes lie in its second line. A
// processor that looks for branches line by line is an eighth slower otherwise, from the first sample on
// (docs/decisions/hit_layout.md).
#define LIBALLOC_HIT_PATH(name) __attribute__((section(".text.hit_" #name), aligned(16)))
#define LIBALLOC_PLACE_HIT_PATH(name) \
  __asm__(".section .text.hit_" #name ",\"ax\",%progbits\n.p2align 6\n.skip 16\n.previous")
#define LIBALLOC_EXPORT __attribute__((visibility("default")))
// For variables that a hit takes into an instruction of its own: the linker cannot spare that a look at the GOT.
#define LIBALLOC_HIDDEN __attribute__((visibility("hidden")))
// Thread-local words of a preloaded library sit in the static TLS block: one load, never a call into the loader.
#define LIBALLOC_TLS_MODEL __attribute__((tls_model("initial-exec")))

#ifdef NDEBUG
#define LIBALLOC_DEBUG 0
#else
#define LIBALLOC_DEBUG 1
#endif

// 1: without counters and without a segment, to measure what they cost (tests/bench); no statistics work then.
#ifndef LIBALLOC_BARE
#define LIBALLOC_BARE 0
#endif

#if defined(__SANITIZE_THREAD__)
#define LIBALLOC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LIBALLOC_TSAN 1
#endif
#endif
#ifndef LIBALLOC_TSAN
#define LIBALLOC_TSAN 0
#endif

namespace liballoc {
inline constexpr size_t kCacheLineBytes = 64;
}
