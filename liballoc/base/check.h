// check.h - invariants that end the process with a report. Reports go to stderr by write(2); nothing here allocates.
// LIBALLOC_CHECK holds in every build; LIBALLOC_DCHECK only in debug builds, for conditions too dear for the others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc {

// A bounded line of text, built without allocation. What does not fit is cut.
class LineBuffer {
 public:
  LineBuffer& text(const char* s);
  LineBuffer& text(const char* s, size_t n);
  LineBuffer& dec(uint64_t n);
  LineBuffer& hex(uint64_t n);
  const char* data() const { return buffer_; }
  size_t size() const { return size_; }
  void write_to_stderr();  // adds the line end

 private:
  char buffer_[512];
  size_t size_ = 0;
};

// What fatal() hands to its hook. `code` is an enum liballoc_abi_fault_code; `address` is the
// pointer in question, or 0.
struct FatalFault {
  const char* message;
  size_t size;
  uint64_t code;
  uintptr_t address;
};

// Called once, after the message was written and before the process aborts, so that telemetry can
// keep it. Null by default.
using FatalHook = void (*)(const FatalFault& fault);
void set_fatal_hook(FatalHook hook);

inline constexpr uint64_t kFaultCheck = 1;  // LIBALLOC_FAULT_CHECK: any lock may be held

// Other codes promise that no lock of ours is held. A second thread that comes here lets the first
// one finish.
[[noreturn]] LIBALLOC_COLD void fatal(LineBuffer& message, uint64_t code = kFaultCheck,
                                      uintptr_t address = 0);
[[noreturn]] LIBALLOC_COLD void check_failed(const char* file, int line, const char* condition);

}  // namespace liballoc

#define LIBALLOC_CHECK(cond) \
  (LIBALLOC_LIKELY(cond) ? static_cast<void>(0) : ::liballoc::check_failed(__FILE__, __LINE__, #cond))
#if LIBALLOC_DEBUG
#define LIBALLOC_DCHECK(cond) LIBALLOC_CHECK(cond)
#else
#define LIBALLOC_DCHECK(cond) static_cast<void>(sizeof((cond) ? 1 : 0))
#endif
