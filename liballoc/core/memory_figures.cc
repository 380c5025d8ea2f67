// memory_figures.cc - see memory_figures.h.
#include "liballoc/core/memory_figures.h"

#include <atomic>

#include "liballoc/base/bits.h"
#include "liballoc/core/counters.h"
#include "liballoc/core/emergency.h"
#include "liballoc/core/sbrk_mode.h"
#include "liballoc/core/slow_path.h"
#include "liballoc/heap/specials.h"
#include "liballoc/meta/persistent_alloc.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

void add_frees(const liballoc_abi_thread* block, void* context) {
  auto* out = static_cast<MemoryFigures*>(context);
  for (unsigned c = 0; c < kCacheClasses; c++) out->classes[size_class_of(c)].frees += load_relaxed(&block->classes[c].frees);
  out->large_free_bytes += load_relaxed(&block->large_free_bytes);
  out->tiny_frees += load_relaxed(&block->tiny_frees);
}

void add_mallocs(const liballoc_abi_thread* block, void* context) {
  auto* out = static_cast<MemoryFigures*>(context);
  for (unsigned c = 0; c < kCacheClasses; c++) out->classes[size_class_of(c)].mallocs += counted_mallocs(block->classes[c]);
  out->large_malloc_bytes += load_relaxed(&block->large_malloc_bytes);
  out->tiny_mallocs += load_relaxed(&block->tiny_mallocs);
}

void add_idle(Span* span, void* context) {
  if (span->state.load(std::memory_order_relaxed) != SpanState::kFree && !span->recent) return;
  unsigned group = log2_floor(span->pages);
  if (group >= kIdleGroups) group = kIdleGroups - 1;
  MemoryFigures::Idle& idle = static_cast<MemoryFigures*>(context)->idle[group];
  idle.spans++;
  idle.bytes += span->bytes();
}

}  // namespace

uint64_t MemoryFigures::small_live_bytes() const {
  uint64_t sum = 0;
  for (unsigned c = 1; c < kSizeClasses; c++) sum += classes[c].live_objects() * kClasses[c].bytes;
  return sum;
}

uint64_t MemoryFigures::small_live_objects() const {
  uint64_t sum = 0;
  for (unsigned c = 1; c < kSizeClasses; c++) sum += classes[c].live_objects();
  return sum;
}

uint64_t MemoryFigures::free_in_use() const {
  const uint64_t live = small_live_bytes() + large_live_bytes();
  return pages.in_use > live ? pages.in_use - live : 0;
}

bool collect_memory_figures(MemoryFigures* out) {
  *out = {};
  SlowPath slow;  // a signal handler that allocates now must not want the locks taken here
  if (slow.thread() == nullptr) return false;
  // Frees first: an object whose free is seen has its malloc seen too, so differences are not negative.
  thread_visit_blocks(add_frees, out);
  std::atomic_thread_fence(std::memory_order_acquire);
  thread_visit_blocks(add_mallocs, out);
  out->threads = thread_counts();
  out->pages = g_heap.pages().stats();
  g_heap.pages().for_each_span(add_idle, out);
  out->kept = g_heap.pages().metadata();
  out->specials = specials_inuse_count();
  out->specials_bytes = specials_inuse_bytes();
  out->thread_cache_bytes = thread_cache_inuse_bytes();
  const SysStats& sys = g_heap.sys();
  out->metadata = sys.mspan.load() + sys.mcache.load() + sys.gc.load() + sys.other.load() + persistent_unused_bytes() +
                  specials_sys_bytes() + g_segment.backed_bytes() + g_segment.private_bytes() + sbrk_sys_bytes() +
                  emergency_sys_bytes();
  const SysMemStats& os = sys_mem_stats();
  out->os_reserved = os.reserved_bytes.load();
  out->os_prepared = os.prepared_bytes.load();
  out->os_ready = os.ready_bytes.load();
  return true;
}

size_t release_memory(size_t bytes) {
  SlowPath slow;
  return slow.thread() == nullptr ? 0 : g_heap.pages().scavenge(bytes, UINT64_MAX);
}

size_t trim_memory(size_t keep) {
  SlowPath slow;
  Thread* thread = slow.thread();
  if (thread == nullptr) return 0;
  thread_give_all_back();
  thread->figures_changed = true;  // what the thread holds is part of the published figures
  PageHeap& heap = g_heap.pages();
  const PageHeapStats stats = heap.stats();
  const uint64_t backed = stats.idle - stats.released;
  return backed > keep ? heap.scavenge(backed - keep, UINT64_MAX) : 0;
}

}  // namespace liballoc
