// counters.h - the arithmetic of a class counter (telemetry_abi.h): one instruction on a hit counts an object and paces the
// sampler. Blocks are written by their thread alone.
#pragma once

#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

// Counts one object handed out. True when the countdown has run out: this object is the one to sample.
LIBALLOC_INLINE bool count_malloc(liballoc_abi_class_counter& c) {
#if LIBALLOC_BARE
  static_cast<void>(c);
  return false;
#elif defined(__x86_64__) && !LIBALLOC_TSAN
  // One read-modify-write instruction without lock: the compiler would split a relaxed atomic into three.
  bool negative;
  __asm__("subl $1, %0" : "+m"(c.countdown), "=@ccs"(negative) : : );
  return negative;
#else
  const int32_t left = load_relaxed(&c.countdown) - 1;
  store_relaxed(&c.countdown, left);
  return left < 0;
#endif
}

// Takes back what count_malloc() counted.
inline void uncount_malloc(liballoc_abi_class_counter& c) {
#if LIBALLOC_BARE
  static_cast<void>(c);
#elif defined(__x86_64__) && !LIBALLOC_TSAN
  __asm__("addl $1, %0" : "+m"(c.countdown) : : "cc");
#else
  store_relaxed(&c.countdown, load_relaxed(&c.countdown) + 1);
#endif
}

LIBALLOC_INLINE void count_free(liballoc_abi_class_counter& c) {
#if LIBALLOC_BARE
  static_cast<void>(c);
#elif defined(__x86_64__) && !LIBALLOC_TSAN
  __asm__("incq %0" : "+m"(c.frees) : : "cc");
#else
  owned_add(&c.frees, uint64_t{1});
#endif
}

// Objects handed out so far; by the owner, or by a reader that accepts a value from the recent past.
inline uint64_t counted_mallocs(const liballoc_abi_class_counter& c) {
  const uint64_t word = load_relaxed(reinterpret_cast<const uint64_t*>(&c.countdown));
  const uint32_t low = static_cast<uint32_t>(word >> 32) - static_cast<uint32_t>(word);
  const uint64_t granted = load_relaxed(&c.granted);
  return granted + static_cast<uint64_t>(int64_t{static_cast<int32_t>(low - static_cast<uint32_t>(granted))});
}

// Sets the objects to go until the next slow path, and with it what was counted so far.
inline void rearm_counter(liballoc_abi_class_counter& c, uint64_t mallocs, uint32_t countdown) {
  const uint64_t granted = mallocs + countdown;
  store_relaxed(&c.granted, granted);
  // One store: a reader sees the old pair or the new one.
  store_relaxed(reinterpret_cast<uint64_t*>(&c.countdown), granted << 32 | countdown);
}

}  // namespace liballoc
