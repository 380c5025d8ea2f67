// sys_mem.h - the four states of address space and the seven transitions between them, each counted.
//
//   None      not ours                         sys_reserve  None     -> Reserved
//   Reserved  ours, no access                  sys_map      Reserved -> Prepared
//   Prepared  may be touched after sys_used    sys_used     Prepared -> Ready
//   Ready     in use                           sys_unused   Ready    -> Prepared (contents may go, reads as zero)
//                                              sys_fault    Ready or Prepared -> Reserved
//                                              sys_alloc    None     -> Ready
//                                              sys_free     any      -> None
//
// Bytes in each state are exact: callers name the state they leave where there is a choice. A debug build keeps the state
// of every region and ends the process on an illegal transition. Thread-safe. Never allocates from the heap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"

namespace liballoc {

enum class MemState : uint8_t { kNone = 0, kReserved, kPrepared, kReady };

enum SysCall : uint8_t {
  kSysReserve, kSysMap, kSysUsed, kSysUnused, kSysFault, kSysAlloc, kSysFree, kSysFailures, kSysCallCount
};

struct SysMemStats {
  RelaxedCounter reserved_bytes, prepared_bytes, ready_bytes;
  RelaxedCounter calls[kSysCallCount];  // the seven, then failures of any
  RelaxedCounter dump_calls, dump_failures;  // of sys_dump(), which changes no state
};
SysMemStats& sys_mem_stats();

// Null when the OS refuses.
[[nodiscard]] void* sys_reserve(void* hint, size_t bytes);
// Aligned to `align` (a power of two >= the system page): over-reserves and trims. Null when the OS refuses.
[[nodiscard]] void* sys_reserve_aligned(void* hint, size_t bytes, size_t align);
[[nodiscard]] bool sys_map(void* at, size_t bytes);
void sys_used(void* at, size_t bytes);
// False when the OS refused; the range then stays Ready.
bool sys_unused(void* at, size_t bytes);
void sys_fault(void* at, size_t bytes, MemState from);
[[nodiscard]] void* sys_alloc(size_t bytes);
// The same, counted but not in the debug build's book, which has a lock: for memory that a signal handler needs, never given back.
[[nodiscard]] void* sys_alloc_anywhere(size_t bytes);
void sys_free(void* at, size_t bytes, MemState from);
// Whether core dumps have the contents of the range, which is Prepared or Ready. False when the OS refused (each change may cost
// a mapping, and mappings are limited): then some of the range may have changed and some not.
[[nodiscard]] bool sys_dump(void* at, size_t bytes, bool wanted);
// Has the kernel back the system pages that lie wholly in the range, which is Ready, by one call instead of a fault each. Changes
// no state and no contents; a refusal changes nothing at all, and a kernel that knows no such call is not asked again.
void sys_populate(void* at, size_t bytes);

size_t system_page_bytes();

}  // namespace liballoc
