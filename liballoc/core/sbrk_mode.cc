// sbrk_mode.cc - see sbrk_mode.h.
#include "liballoc/core/sbrk_mode.h"

#include "liballoc/base/bits.h"
#include "liballoc/core/bump_memory.h"
#include "liballoc/core/counters.h"
#include "liballoc/core/emergency.h"
#include "liballoc/core/report.h"
#include "liballoc/core/runtime.h"

namespace liballoc {

namespace {

constinit BumpMemory g_memory{size_t{1} << 20, size_t{64} << 20};

constexpr uint32_t kFreed = 0x100;  // in a block's tag, beside its cache class
static_assert(kCacheClasses <= kFreed);

uint64_t large_bytes(size_t bytes) { return align_up(bytes == 0 ? 1 : bytes, kPageBytes); }

void count_release(Thread& thread, unsigned cache_cls, uint64_t large) {
  count_free(thread.block->classes[cache_cls]);
  if (size_class_of(cache_cls) == 0) owned_add(&thread.block->large_free_bytes, large);
}

}  // namespace

void start_sbrk_mode() {
  g_config.sbrk = true;
  g_config.sample_rate = 0;  // a sample's mark belongs to a span
  thread_stop_hits();
}

void* sbrk_allocate(Thread& thread, size_t bytes, size_t align, unsigned cache_cls) {
  // An aligned request may come as a plain one for a size whose slots have the alignment.
  const size_t by_size = bytes & (0 - bytes);
  if (align < by_size) align = by_size < kPageBytes ? by_size : kPageBytes;
  const uint64_t before = g_memory.sys_bytes();
  void* p = g_memory.allocate(bytes, align, cache_cls);
  if (p == nullptr) return nullptr;
  if (g_memory.sys_bytes() != before) thread.figures_changed = true;
  liballoc_abi_class_counter& counter = thread.block->classes[cache_cls];
  rearm_counter(counter, counted_mallocs(counter) + 1, 0);
  if (size_class_of(cache_cls) == 0) owned_add(&thread.block->large_malloc_bytes, large_bytes(bytes));
  return p;
}

void sbrk_release(Thread& thread, void* p) {
  if (!g_memory.contains(p)) {
    if (const Span* span = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p))) {  // made before the mode began
      if (span->tiny_words == nullptr) count_release(thread, span->cache_class, span->bytes());
      return;
    }
    if (in_emergency(p)) return;
    report_bad_free(BadFree::kForeign, p);
  }
  BumpMemory::Header* header = g_memory.header_of(p);
  if (header == nullptr) report_bad_free(BadFree::kInterior, p);
  // One of two that free it at the same time sees the other's mark; nothing else depends on it.
  const uint32_t tag = header->tag.fetch_or(kFreed, std::memory_order_relaxed);
  if ((tag & kFreed) != 0) report_bad_free(BadFree::kDoubleFree, p);
  count_release(thread, tag, large_bytes(header->bytes));
}

bool sbrk_usable_size(const void* p, size_t* bytes) {
  if (!g_memory.contains(p)) return false;
  const BumpMemory::Header* header = g_memory.header_of(p);
  if (header == nullptr) report_bad_free(BadFree::kInterior, const_cast<void*>(p));
  *bytes = header->bytes;
  return true;
}

uint64_t sbrk_sys_bytes() { return g_memory.sys_bytes(); }

}  // namespace liballoc
