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

// Called once with the message before the process aborts, so that telemetry can keep it. Null by default.
using FatalHook = void (*)(const char* message, size_t size);
void set_fatal_hook(FatalHook hook);

[[noreturn]] LIBALLOC_COLD void fatal(LineBuffer& message);
[[noreturn]] LIBALLOC_COLD void check_failed(const char* file, int line, const char* condition);

}  // namespace liballoc

#define LIBALLOC_CHECK(cond) \
  (LIBALLOC_LIKELY(cond) ? static_cast<void>(0) : ::liballoc::check_failed(__FILE__, __LINE__, #cond))
#if LIBALLOC_DEBUG
#define LIBALLOC_DCHECK(cond) LIBALLOC_CHECK(cond)
#else
#define LIBALLOC_DCHECK(cond) static_cast<void>(sizeof((cond) ? 1 : 0))
#endif
