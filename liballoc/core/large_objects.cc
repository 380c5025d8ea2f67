// large_objects.cc - see large_objects.h.
#include "liballoc/core/large_objects.h"

#include "liballoc/base/bits.h"
#include "liballoc/core/counters.h"
#include "liballoc/core/report.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/slow_path.h"
#include "liballoc/heap/specials.h"

namespace liballoc {

namespace {

// 64 KiB, or an eighth of the object: less is kept for the next time it grows.
bool worth_returning(size_t tail_pages, size_t span_pages) { return tail_pages >= 8 || tail_pages >= span_pages / 8; }

}  // namespace

void note_large_allocation(Thread& thread, Span* span, size_t requested) {
  const size_t bytes = span->bytes();
  liballoc_abi_class_counter& counter = thread.block->classes[span->cache_class];
  rearm_counter(counter, counted_mallocs(counter) + 1, 0);
  owned_add(&thread.block->large_malloc_bytes, uint64_t{bytes});
  thread.next_sample -= static_cast<int64_t>(bytes);
  if (thread.next_sample > 0) return;
  thread.next_sample = draw_next_sample(thread);
  sample_object(thread, span, 0, reinterpret_cast<void*>(span->base), requested, bytes);
}

bool resize_large(void* p, size_t bytes) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  size_t whole = 0;
  if (!checked_align_up(bytes, kPageBytes, &whole) || whole > (SIZE_MAX >> 1)) return false;
  const size_t pages = whole >> kPageShift;
  Span* span = g_heap.map().find_in_use(address);
  if (span == nullptr || span->size_class != 0) return false;
  if (address != span->base) report_bad_free(BadFree::kInterior, p, "realloc");
  if (span->place != SpanPlace::kLarge) report_bad_free(BadFree::kNotAllocated, p, "realloc");
  if (pages <= span->pages &&
      (pages == span->pages || !worth_returning(span->pages - pages, span->pages)))
    return true;
  SlowPath slow;
  Thread* thread = slow.thread();
  if (LIBALLOC_UNLIKELY(thread == nullptr)) return false;
  const uint64_t before = span->bytes();
  PageHeap& heap = g_heap.pages();
  if (pages < span->pages ? !heap.try_shrink(span, pages) : !heap.try_grow(span, pages))
    return false;
  if (has_specials(span)) unsample_object(*thread, span, 0, /*resized=*/true);
  count_free(thread->block->classes[span->cache_class]);
  owned_add(&thread->block->large_free_bytes, before);
  note_large_allocation(*thread, span, bytes);
  return true;
}

}  // namespace liballoc
