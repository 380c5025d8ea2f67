// syscall.h - raw system calls: they touch neither errno nor libc's state, so they are safe inside malloc, before libc
// is ready and after fork. Returns are the kernel's: negative errno on failure. Never calls libc.
#pragma once

#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

namespace liballoc::sys {

#if defined(__x86_64__)
inline long raw_syscall(long n, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}
#elif defined(__aarch64__)
inline long raw_syscall(long n, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory", "cc");
  return x0;
}
#else
#error "liballoc supports x86-64 and aarch64 Linux"
#endif

inline long arg(const void* p) { return static_cast<long>(reinterpret_cast<uintptr_t>(p)); }
inline long arg(size_t n) { return static_cast<long>(n); }

// Sleeps while the word is as expected, at most so long (below a second).
inline long futex_wait(uint32_t* word, uint32_t expected, int64_t timeout_ns) {
  constexpr long kFutexWaitPrivate = 0 | 128;
  const int64_t timeout[2] = {0, timeout_ns};  // the kernel's timespec on 64-bit systems
  return raw_syscall(SYS_futex, arg(word), kFutexWaitPrivate, static_cast<long>(expected), arg(timeout));
}
inline long futex_wake(uint32_t* word, int count) {
  constexpr long kFutexWakePrivate = 1 | 128;
  return raw_syscall(SYS_futex, arg(word), kFutexWakePrivate, count);
}
inline void yield() { raw_syscall(SYS_sched_yield); }
inline long write_fd(int fd, const void* data, size_t n) { return raw_syscall(SYS_write, fd, arg(data), arg(n)); }
inline uint32_t current_tid() { return static_cast<uint32_t>(raw_syscall(SYS_gettid)); }
inline uint32_t current_pid() { return static_cast<uint32_t>(raw_syscall(SYS_getpid)); }

}  // namespace liballoc::sys
