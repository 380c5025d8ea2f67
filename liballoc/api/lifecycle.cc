// lifecycle.cc - the library's start with the process and its end: constructor, destructor, and _exit, which runs neither.
#include <stdlib.h>
#include <unistd.h>

#include "liballoc/base/compiler.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/os/os.h"

namespace {

// Early among constructors of this library's priority range; allocations before it are served and counted all the same.
__attribute__((constructor(101))) void start() {
  liballoc::read_clock_by_call(true);
  liballoc::runtime_start_telemetry(environ);
  liballoc::read_clock_by_call(false);
}

__attribute__((destructor(101))) void stop() {
  liballoc::thread_report_double_free();  // one that nothing came after has not been met yet
  liballoc::runtime_exit();
}

[[noreturn]] void exit_now(int status) {
  liballoc::runtime_exit();
  while (true) liballoc::sys::raw_syscall(SYS_exit_group, status);
}

}  // namespace

extern "C" {
LIBALLOC_EXPORT void _exit(int status) { exit_now(status); }
LIBALLOC_EXPORT void _Exit(int status) noexcept { exit_now(status); }
}
