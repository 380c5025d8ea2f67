// thread_region.cc - see thread_region.h.
#include "liballoc/heap/thread_region.h"

#include <cstring>

#include "liballoc/base/bits.h"
#include "liballoc/base/check.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

constexpr size_t kHeadBytes = offsetof(liballoc_abi_thread, classes);
// The kernel wipes everything before kWipedEnd in the child of a fork; a view ends there.
constexpr size_t kWindowAt = 3 * kLargestPage, kWipedEnd = 7 * kLargestPage;
static_assert(kLargestPage + sizeof(ThreadCache) <= kWindowAt);
static_assert(align_down(kCountersDistance - kHeadBytes, kLargestPage) >= kWindowAt);
static_assert(kLargestPage + kCountersDistance + sizeof(liballoc_abi_thread) <= kWipedEnd);
static_assert(sizeof(liballoc_abi_thread) % kCacheLineBytes == 0, "so that bins begin on a line wherever the block lies");
static_assert((kCountersDistance - kHeadBytes) % kCacheLineBytes == 0);

struct Region {
  size_t page = system_page_bytes();
  size_t few_at = kWipedEnd;
  size_t many_at = few_at + align_up(kCacheClasses * kFewSlots * sizeof(void*), page);
  size_t saved_at = many_at + align_up(kAllSlots * sizeof(void*), page);
  size_t bytes = saved_at + align_up(kCacheClasses * sizeof(Bin), page);
};

}  // namespace

size_t thread_region_bytes() { return Region().bytes; }

bool thread_region_init(ThreadState& state, RelaxedCounter& stat) {
  const Region parts;
  LIBALLOC_CHECK(parts.page <= kLargestPage);
  auto* const region = static_cast<std::byte*>(sys_alloc(parts.bytes));
  if (region == nullptr) return false;
  // Refused by kernels before 4.14: then only fork() itself is safe, through its handlers.
  static_cast<void>(os_wipe_on_fork(region, kWipedEnd));
  stat.add(parts.bytes);
  state.region = region;
  state.view = nullptr;
  state.cache = reinterpret_cast<ThreadCache*>(region);
  state.few = reinterpret_cast<void**>(region + parts.few_at);
  state.slots = reinterpret_cast<void**>(region + parts.many_at);
  state.saved_bins = reinterpret_cast<Bin*>(region + parts.saved_at);
  state.saved = false;
  thread_cache_reset_bins(state);
  return true;
}

liballoc_abi_thread* thread_region_block(const ThreadState& state) {
  return reinterpret_cast<liballoc_abi_thread*>(reinterpret_cast<std::byte*>(state.cache) + kCountersDistance - kHeadBytes);
}

RegionView thread_region_make_way(ThreadState& state, const liballoc_abi_thread* block) {
  const size_t page = system_page_bytes();
  const size_t in_page = reinterpret_cast<uintptr_t>(block) & (page - 1);
  std::byte* const to = state.region + ((in_page - (kCountersDistance - kHeadBytes)) & (page - 1));
  memmove(to, static_cast<const void*>(state.cache), sizeof(ThreadCache));
  state.cache = reinterpret_cast<ThreadCache*>(to);
  std::byte* const end = state.region + kWipedEnd;
  state.view = reinterpret_cast<std::byte*>(align_down(reinterpret_cast<uintptr_t>(thread_region_block(state)), page));
  return {state.view, static_cast<size_t>(end - state.view)};
}

bool thread_region_mend(ThreadState& state) {
  if (state.view == nullptr) return true;
  const auto bytes = static_cast<size_t>(state.region + kWipedEnd - state.view);
  if (os_ops().fill(state.view, bytes) < 0) return false;
  static_cast<void>(os_wipe_on_fork(state.view, bytes));
  state.view = nullptr;
  return true;
}

}  // namespace liballoc
