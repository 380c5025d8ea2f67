// frame_registers.h - the registers that a walk of the stack begins with, and how to read them in place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

// Where a walk begins: the function that captures them is the first frame.
struct FrameRegisters {
  uintptr_t pc;  // behind the instruction in question, as a return address is
  uintptr_t sp, fp;
  uintptr_t lr;  // aarch64: the link register
};

#if defined(__x86_64__)
#define LIBALLOC_CAPTURE_REGISTERS(out)                                         \
  __asm__ volatile("movq %%rsp, %0\n\tmovq %%rbp, %1\n\tleaq 1f(%%rip), %2\n1:" \
                   : "=&a"((out).sp), "=&c"((out).fp), "=&d"((out).pc));        \
  (out).lr = 0
#else
#define LIBALLOC_CAPTURE_REGISTERS(out)                                                      \
  __asm__ volatile(                                                                          \
      "mov x9, sp\n\tadr x10, 1f\n\tstp x10, x9, [%0]\n\tstp x29, x30, [%0, #16]\n1:" ::"r"( \
          &(out))                                                                            \
      : "x9", "x10", "memory")
#endif
static_assert(sizeof(FrameRegisters) == 32 && offsetof(FrameRegisters, fp) == 16);

}  // namespace liballoc
