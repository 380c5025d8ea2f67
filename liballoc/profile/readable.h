// readable.h - asks the kernel whether memory of unknown origin can be read. Changes nothing.
#pragma once

#include <errno.h>

#include <cstdint>

#include "liballoc/base/syscall.h"

namespace liballoc {

// Whether the 8 bytes at `at` can be read. The kernel copies the new mask before it looks at `how`,
// which is invalid here: EFAULT tells of a page that cannot be read, and nothing ever changes.
inline bool readable(uintptr_t at) {
  constexpr long kNoSuchHow = ~0L;
  constexpr long kMaskBytes = 8;
  return sys::raw_syscall(SYS_rt_sigprocmask, kNoSuchHow, static_cast<long>(at), 0, kMaskBytes) !=
         -EFAULT;
}

}  // namespace liballoc
