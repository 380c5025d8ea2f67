// os.h - every system call that changes the address space, behind one table, so that a test can make each fail in turn.
// Only os/ and telemetry/ (for its file) ask the kernel for memory; nothing above calls mmap by itself.
#pragma once

#include <cstddef>
#include <cstdint>

namespace liballoc {

struct OsOps {
  // Each returns 0 or a negative errno. Addresses and sizes are multiples of the system page.
  long (*reserve)(void* hint, size_t bytes, void** out);  // PROT_NONE, at `hint` if it can be had, else anywhere
  long (*map)(void* at, size_t bytes);                    // reserved range becomes readable and writable, zero
  long (*alloc)(size_t bytes, void** out);                // readable and writable, anywhere, zero
  long (*unmap)(void* at, size_t bytes);
  long (*release)(void* at, size_t bytes);                // contents may go; next touch reads zero
  long (*protect_none)(void* at, size_t bytes);           // back to reserved; contents are gone
  long (*dump)(void* at, size_t bytes, bool wanted);      // whether core dumps have the range's contents
  long (*fill)(void* at, size_t bytes);                   // readable and writable, zero; refused where anything is mapped
  long (*populate)(void* at, size_t bytes);               // as if every page were written to, contents as they are
};

inline constexpr int kMadvPopulateWrite = 23;  // Linux 5.14; older headers do not have it

extern const OsOps kLinuxOs;

// The table in use: kLinuxOs unless a test has put its own there, before any allocation.
const OsOps& os_ops();
void set_os_ops_for_test(const OsOps* ops);

// The kernel zeroes the range in the child of a fork. False on kernels before 4.14.
bool os_wipe_on_fork(void* at, size_t bytes);

// RLIMIT_AS of the process; UINT64_MAX when there is none.
uint64_t os_address_space_limit();

uint64_t monotonic_ns();
// The same clock as of the kernel's last tick: 1 to 10 ms behind, and a fraction of the price.
uint64_t monotonic_coarse_ns();
// Whether the clocks are read by system calls. At the start and the end of a process that is the cheaper way: the few readings
// need none of the three pages that the vdso's way touches first.
void read_clock_by_call(bool on);
// Both are `clock`'s from now on; null: the system's again. While there is one thread.
void set_clock_for_test(uint64_t (*clock)());
uint64_t realtime_ns();

}  // namespace liballoc
