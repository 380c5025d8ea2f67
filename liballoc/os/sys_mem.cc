// sys_mem.cc - see sys_mem.h. Each transition: the system call, then the debug check and the accounting; only what is given up is
// booked before.
#include "liballoc/os/sys_mem.h"

#include <errno.h>
#include <sys/auxv.h>

#include <atomic>

#include "liballoc/base/bits.h"
#include "liballoc/base/check.h"
#include "liballoc/os/os.h"
#include "liballoc/os/region_map.h"

namespace liballoc {

namespace {

constinit SysMemStats g_stats;

RelaxedCounter* bytes_in(MemState state) {
  switch (state) {
    case MemState::kReserved: return &g_stats.reserved_bytes;
    case MemState::kPrepared: return &g_stats.prepared_bytes;
    case MemState::kReady: return &g_stats.ready_bytes;
    case MemState::kNone: break;
  }
  return nullptr;
}

void account(MemState from, MemState to, size_t bytes) {
  if (RelaxedCounter* c = bytes_in(from)) c->sub(bytes);
  if (RelaxedCounter* c = bytes_in(to)) c->add(bytes);
}

void transition(void* at, size_t bytes, MemState from, MemState to) {
  if constexpr (LIBALLOC_DEBUG) region_map_transition(reinterpret_cast<uintptr_t>(at), bytes, from, to);
  account(from, to, bytes);
}

bool succeeded(long result) {
  if (LIBALLOC_LIKELY(result == 0)) return true;
  g_stats.calls[kSysFailures].add(1);
  return false;
}

}  // namespace

SysMemStats& sys_mem_stats() { return g_stats; }

size_t system_page_bytes() {
  static constinit size_t cached = 0;  // every thread would write the same value
  size_t bytes = load_relaxed(&cached);
  if (bytes == 0) {
    bytes = getauxval(AT_PAGESZ);
    store_relaxed(&cached, bytes);
  }
  return bytes;
}

void* sys_reserve(void* hint, size_t bytes) {
  g_stats.calls[kSysReserve].add(1);
  void* p = nullptr;
  if (!succeeded(os_ops().reserve(hint, bytes, &p))) return nullptr;
  transition(p, bytes, MemState::kNone, MemState::kReserved);
  return p;
}

void* sys_reserve_aligned(void* hint, size_t bytes, size_t align) {
  LIBALLOC_DCHECK(is_power_of_two(align) && align >= system_page_bytes());
  void* p = sys_reserve(hint, bytes);
  if (p == nullptr) return nullptr;
  if ((reinterpret_cast<uintptr_t>(p) & (align - 1)) == 0) return p;
  // Not aligned: ask for enough to find an aligned range inside, and give the ends back.
  sys_free(p, bytes, MemState::kReserved);
  size_t wide = 0;
  if (__builtin_add_overflow(bytes, align, &wide)) return nullptr;
  p = sys_reserve(nullptr, wide);
  if (p == nullptr) return nullptr;
  const uintptr_t begin = reinterpret_cast<uintptr_t>(p);
  const uintptr_t aligned = align_up(begin, align);
  if (aligned != begin) sys_free(p, aligned - begin, MemState::kReserved);
  const uintptr_t end = aligned + bytes;
  if (begin + wide != end) sys_free(reinterpret_cast<void*>(end), begin + wide - end, MemState::kReserved);
  return reinterpret_cast<void*>(aligned);
}

bool sys_map(void* at, size_t bytes) {
  g_stats.calls[kSysMap].add(1);
  if (!succeeded(os_ops().map(at, bytes))) return false;
  transition(at, bytes, MemState::kReserved, MemState::kPrepared);
  return true;
}

void sys_used(void* at, size_t bytes) {
  g_stats.calls[kSysUsed].add(1);
  transition(at, bytes, MemState::kPrepared, MemState::kReady);
}

bool sys_unused(void* at, size_t bytes) {
  g_stats.calls[kSysUnused].add(1);
  if (!succeeded(os_ops().release(at, bytes))) return false;
  transition(at, bytes, MemState::kReady, MemState::kPrepared);
  return true;
}

void sys_fault(void* at, size_t bytes, MemState from) {
  g_stats.calls[kSysFault].add(1);
  if (!succeeded(os_ops().protect_none(at, bytes))) return;
  transition(at, bytes, from, MemState::kReserved);
}

void* sys_alloc(size_t bytes) {
  g_stats.calls[kSysAlloc].add(1);
  void* p = nullptr;
  if (!succeeded(os_ops().alloc(bytes, &p))) return nullptr;
  transition(p, bytes, MemState::kNone, MemState::kReady);
  return p;
}

void* sys_alloc_anywhere(size_t bytes) {
  g_stats.calls[kSysAlloc].add(1);
  void* p = nullptr;
  if (!succeeded(os_ops().alloc(bytes, &p))) return nullptr;
  account(MemState::kNone, MemState::kReady, bytes);
  return p;
}

void sys_free(void* at, size_t bytes, MemState from) {
  g_stats.calls[kSysFree].add(1);
  // The book first: what the kernel has back, another thread may be given, and enter, at once.
  transition(at, bytes, from, MemState::kNone);
  if (!succeeded(os_ops().unmap(at, bytes))) transition(at, bytes, MemState::kNone, from);
}

bool sys_dump(void* at, size_t bytes, bool wanted) {
  g_stats.dump_calls.add(1);
  if (LIBALLOC_LIKELY(os_ops().dump(at, bytes, wanted) == 0)) return true;
  g_stats.dump_failures.add(1);
  return false;
}

void sys_populate(void* at, size_t bytes) {
  static constinit std::atomic<bool> unknown{false};  // relaxed: who misses it asks once more
  if (unknown.load(std::memory_order_relaxed)) return;
  const uintptr_t begin = align_up(reinterpret_cast<uintptr_t>(at), system_page_bytes());
  const uintptr_t end = align_down(reinterpret_cast<uintptr_t>(at) + bytes, system_page_bytes());
  if (begin >= end) return;
  const long r = os_ops().populate(reinterpret_cast<void*>(begin), end - begin);
  if (LIBALLOC_UNLIKELY(r == -EINVAL)) unknown.store(true, std::memory_order_relaxed);
}

}  // namespace liballoc
