// check.cc - formatting and ending: see check.h. Must never allocate, take a lock or return from
// fatal().
#include "liballoc/base/check.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <atomic>
#include <cstring>

#include "liballoc/base/syscall.h"

namespace liballoc {

namespace {
// Set once at start-up by core/, read when the process is about to end: the pair needs no order beyond the value.
constinit std::atomic<FatalHook> g_fatal_hook{nullptr};
// The thread that is ending the process, 0 = none. Relaxed: nothing is read through it.
constinit std::atomic<uint32_t> g_fatal_tid{0};
constexpr int kFatalWaitSeconds = 10;  // for another thread's report
}  // namespace

LineBuffer& LineBuffer::text(const char* s, size_t n) {
  const size_t room = sizeof(buffer_) - 1 - size_;  // one byte stays for the line end
  if (n > room) n = room;
  memcpy(buffer_ + size_, s, n);
  size_ += n;
  return *this;
}

LineBuffer& LineBuffer::text(const char* s) { return text(s, strlen(s)); }

LineBuffer& LineBuffer::dec(uint64_t n) {
  char digits[20];
  size_t at = sizeof(digits);
  do {
    digits[--at] = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n != 0);
  return text(digits + at, sizeof(digits) - at);
}

LineBuffer& LineBuffer::hex(uint64_t n) {
  char digits[18];
  size_t at = sizeof(digits);
  do {
    digits[--at] = "0123456789abcdef"[n & 15];
    n >>= 4;
  } while (n != 0);
  digits[--at] = 'x';
  digits[--at] = '0';
  return text(digits + at, sizeof(digits) - at);
}

void LineBuffer::write_to_stderr() {
  buffer_[size_] = '\n';
  sys::write_fd(2, buffer_, size_ + 1);
}

void set_fatal_hook(FatalHook hook) { g_fatal_hook.store(hook, std::memory_order_release); }

void fatal(LineBuffer& message, uint64_t code, uintptr_t address) {
  const uint32_t self = sys::current_tid();
  uint32_t first = 0;
  if (!g_fatal_tid.compare_exchange_strong(first, self, std::memory_order_relaxed) &&
      first != self) {
    const timespec wait = {kFatalWaitSeconds, 0};  // the other's abort() ends this
    sys::raw_syscall(SYS_nanosleep, sys::arg(&wait), 0);
  }
  message.write_to_stderr();
  // Exchanged, so that a failure inside the hook does not come back here for ever.
  if (FatalHook hook = g_fatal_hook.exchange(nullptr, std::memory_order_acq_rel)) {
    hook({message.data(), message.size(), code, address});
  }
  abort();
}

void check_failed(const char* file, int line, const char* condition) {
  LineBuffer message;
  message.text("liballoc: check failed: ").text(condition).text(" at ").text(file).text(":");
  message.dec(static_cast<uint64_t>(line));
  fatal(message);
}

}  // namespace liballoc
