// linux.cc - the Linux body of os.h. Raw system calls only, so errno is untouched.
#include <errno.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>

#include "liballoc/base/compiler.h"
#include "liballoc/base/syscall.h"
#include "liballoc/os/os.h"

namespace liballoc {

namespace {

// Reserved ranges are free of charge. Memory that may be touched is charged as everybody's is, so that the kernel refuses what the
// machine could never back, and a limit on committed memory holds.
constexpr long kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
constexpr long kCharged = MAP_PRIVATE | MAP_ANONYMOUS;

long map_call(void* at, size_t bytes, long protection, long flags, void** out) {
  const long r = sys::raw_syscall(SYS_mmap, sys::arg(at), sys::arg(bytes), protection, flags, -1, 0);
  if (r < 0 && r > -4096) return r;
  *out = reinterpret_cast<void*>(r);
  return 0;
}

long linux_reserve(void* hint, size_t bytes, void** out) { return map_call(hint, bytes, PROT_NONE, kReserved, out); }

long linux_map(void* at, size_t bytes) {
  void* got = nullptr;
  return map_call(at, bytes, PROT_READ | PROT_WRITE, kCharged | MAP_FIXED, &got);
}

long linux_alloc(size_t bytes, void** out) {
  return map_call(nullptr, bytes, PROT_READ | PROT_WRITE, kCharged, out);
}

long linux_fill(void* at, size_t bytes) {
  void* got = nullptr;
  const long r = map_call(at, bytes, PROT_READ | PROT_WRITE, kCharged | MAP_FIXED_NOREPLACE, &got);
  if (r < 0 || got == at) return r;
  sys::raw_syscall(SYS_munmap, sys::arg(got), sys::arg(bytes));  // before Linux 4.17 the address is but a hint
  return -EEXIST;
}

long linux_unmap(void* at, size_t bytes) { return sys::raw_syscall(SYS_munmap, sys::arg(at), sys::arg(bytes)); }

long linux_release(void* at, size_t bytes) {
  return sys::raw_syscall(SYS_madvise, sys::arg(at), sys::arg(bytes), MADV_DONTNEED);
}

long linux_protect_none(void* at, size_t bytes) {
  void* got = nullptr;
  return map_call(at, bytes, PROT_NONE, kReserved | MAP_FIXED, &got);
}

long linux_dump(void* at, size_t bytes, bool wanted) {
  return sys::raw_syscall(SYS_madvise, sys::arg(at), sys::arg(bytes), wanted ? MADV_DODUMP : MADV_DONTDUMP);
}

long linux_populate(void* at, size_t bytes) {
  return sys::raw_syscall(SYS_madvise, sys::arg(at), sys::arg(bytes), kMadvPopulateWrite);
}

// Relaxed: either way tells the time.
constinit std::atomic<bool> g_clock_by_call{false};

uint64_t clock_ns(clockid_t id) {
  timespec t{};
  if (LIBALLOC_UNLIKELY(g_clock_by_call.load(std::memory_order_relaxed))) sys::raw_syscall(SYS_clock_gettime, id, sys::arg(&t));
  else clock_gettime(id, &t);  // the vDSO: no system call, no lock, errno untouched on valid ids
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

// Written by tests before they start threads, read everywhere.
constinit const OsOps* g_ops = nullptr;
using Clock = uint64_t (*)();
constinit Clock g_clock = nullptr;

}  // namespace

constinit const OsOps kLinuxOs = {linux_reserve,      linux_map,  linux_alloc, linux_unmap,   linux_release,
                                  linux_protect_none, linux_dump, linux_fill,  linux_populate};

const OsOps& os_ops() { return g_ops != nullptr ? *g_ops : kLinuxOs; }
void set_os_ops_for_test(const OsOps* ops) { g_ops = ops; }

bool os_wipe_on_fork(void* at, size_t bytes) {
  return sys::raw_syscall(SYS_madvise, sys::arg(at), sys::arg(bytes), MADV_WIPEONFORK) == 0;
}

uint64_t os_address_space_limit() {
  rlimit limit{};
  const long r = sys::raw_syscall(SYS_prlimit64, 0, RLIMIT_AS, 0, sys::arg(&limit));
  return r < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint64_t monotonic_ns() { return LIBALLOC_UNLIKELY(g_clock != nullptr) ? g_clock() : clock_ns(CLOCK_MONOTONIC); }
uint64_t monotonic_coarse_ns() {
  return LIBALLOC_UNLIKELY(g_clock != nullptr) ? g_clock() : clock_ns(CLOCK_MONOTONIC_COARSE);
}
void read_clock_by_call(bool on) { g_clock_by_call.store(on, std::memory_order_relaxed); }
void set_clock_for_test(uint64_t (*clock)()) { g_clock = clock; }
uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

}  // namespace liballoc
