// thread_region.h - the memory of one thread's cache: what lies where in it, and how counters come to be where hits find them.
// A bin and its class's counter are kCountersDistance bytes apart, so a hit needs no pointer to count. The pages at that distance
// are the region's own, or a second view of the thread's block in the telemetry segment, which core/ puts over them. A block lies
// anywhere in its page, so the bins move to where the distance is right. Must never be moved while the thread's hits can run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/heap/thread_cache.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

// The largest page of any system the library runs on: what lies apart by multiples of it can be mapped apart.
#if defined(__x86_64__)
inline constexpr size_t kLargestPage = 4096;
#else
inline constexpr size_t kLargestPage = 65536;
#endif

// Three of the largest pages hold the bins wherever they begin in the first. The half page keeps a bin and its counter out of
// the same set of the first-level cache, where a load would be taken for one of the other's last store.
inline constexpr size_t kCountersDistance = 3 * kLargestPage + kLargestPage / 2 + kCacheLineBytes;

// The counter that hits of this bin write. Only of a cache that hits use: see thread_region_counters().
LIBALLOC_INLINE liballoc_abi_class_counter& counter_beside(const Bin& bin) {
  static_assert(sizeof(Bin) == sizeof(liballoc_abi_class_counter));
  return *reinterpret_cast<liballoc_abi_class_counter*>(reinterpret_cast<uintptr_t>(&bin) + kCountersDistance);
}

// Gives `state` a region with an empty cache and counters that are zero. False when the OS refuses. `stat` gets the bytes.
[[nodiscard]] bool thread_region_init(ThreadState& state, RelaxedCounter& stat);
// Bytes of one.
size_t thread_region_bytes();

// The block whose counters lie beside the bins. It may be touched while the pages are the region's own, or a view of a block.
liballoc_abi_thread* thread_region_block(const ThreadState& state);

// Where a view of a block goes. From `at` to the end nothing of the region's is needed any more.
struct RegionView {
  std::byte* at;
  size_t bytes;
};
// Moves the bins so that a view of the pages of `block` puts its counters beside them. The caller maps the view, which the
// child of a fork must not inherit.
[[nodiscard]] RegionView thread_region_make_way(ThreadState& state, const liballoc_abi_thread* block);

// In the child of a fork: the view of the parent's block is gone, and what it covered is to be the region's own again, zero.
// True when it is. False when it cannot be had, because of others or the OS: the region is of no use and stays where it is.
[[nodiscard]] bool thread_region_mend(ThreadState& state);

}  // namespace liballoc
