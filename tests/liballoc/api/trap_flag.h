// trap_flag.h - stops the calling thread with SIGTRAP after each instruction, for tests that look at what a call does on its way.
// x86-64 alone. Must never be left on: a handler of SIGTRAP has to be there.
#pragma once

#if defined(__x86_64__)

#include <cstdint>

namespace liballoc {

__attribute__((noinline)) inline void trap(bool on) {
  constexpr uint64_t kTrapFlag = 0x100;
  uint64_t flags = 0;
  __asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
  flags = on ? flags | kTrapFlag : flags & ~kTrapFlag;
  __asm__ volatile("pushq %0\n\tpopfq" : : "r"(flags) : "memory", "cc");
}

}  // namespace liballoc

#endif
