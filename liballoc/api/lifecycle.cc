// lifecycle.cc - the library's start with the process and its end: constructor, destructor, and _exit, which runs neither.
#include <stdlib.h>
#include <unistd.h>

#include "liballoc/api/lifecycle.h"
#include "liballoc/base/compiler.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/thread.h"
#include "liballoc/os/os.h"
#include "liballoc/os/own_image.h"

namespace {

// Early among constructors of this library's priority range; allocations before it are served and counted all the same.
// glibc gives every constructor what main() gets; that it did is seen by the environment.
__attribute__((constructor(101))) void start(int argc, char** argv, char** environment) {
  liballoc::map_own_image();
  liballoc::read_clock_by_call(true);
  const bool told = environment == environ && argc > 0;
  liballoc::runtime_start_telemetry({environ, told ? argv : nullptr, told ? static_cast<size_t>(argc) : 0});
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

// A program may refer to the functions for labels weakly, which takes nothing out of an archive: they come along.
__attribute__((used)) const char* const g_labels = &liballoc_labels;

}  // namespace

extern "C" {
const char liballoc_lifecycle = 0;

LIBALLOC_EXPORT void _exit(int status) { exit_now(status); }
LIBALLOC_EXPORT void _Exit(int status) noexcept { exit_now(status); }
}
