// allocator.cc - the slow paths: see allocator.h.
#include "liballoc/core/allocator.h"

#include <cstring>

#include "liballoc/base/bits.h"
#include "liballoc/core/emergency.h"
#include "liballoc/core/large_objects.h"
#include "liballoc/core/report.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/sbrk_mode.h"
#include "liballoc/core/scavenge_thread.h"
#include "liballoc/core/slow_path.h"
#include "liballoc/core/tiny_objects.h"
#include "liballoc/heap/specials.h"

namespace liballoc {

namespace {

liballoc_abi_class_counter& counter_of(Thread& thread, unsigned cache_cls) {
  return thread.block->classes[cache_cls];
}

// A request for zeros of so many bytes is worth a slow path that may find them.
constexpr size_t kClearingCosts = 1024;

// Samples an object of a bin's class whose countdown ran out, and draws the next step.
void sample_small(Thread& thread, unsigned cache_cls, void* p, size_t requested) {
  liballoc_abi_class_counter& counter = counter_of(thread, cache_cls);
  const uint32_t object_bytes = kClasses[size_class_of(cache_cls)].bytes;
  const uint32_t next = draw_countdown(thread, object_bytes);
  {
    const HitsClosed closed;  // what a signal handler counted in between would be lost
    rearm_counter(counter, counted_mallocs(counter), next);
  }
  Span* span = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p));
  sample_object(thread, span, span->slot_of(reinterpret_cast<uintptr_t>(p)), p, requested, object_bytes);
}

void* allocate_large(Thread& thread, const AllocationRequest& request) {
  size_t bytes = 0;
  if (!checked_align_up(request.bytes, kPageBytes, &bytes) || bytes > (SIZE_MAX >> 1)) return nullptr;
  const size_t pages = bytes == 0 ? 1 : bytes >> kPageShift;
  const unsigned cache_cls = cache_class(0, request.noscan);
  const size_t align_pages = request.align <= kPageBytes ? 1 : request.align >> kPageShift;
  Span* span = align_pages == 1 && !request.noscan ? thread.heap.pages.take(pages) : nullptr;
  if (span == nullptr) span = g_heap.pages().allocate(pages, cache_cls, align_pages);
  if (span == nullptr) return nullptr;
  void* p = reinterpret_cast<void*>(span->base);
  if (request.zero && span->need_zero) memset(p, 0, span->bytes());
  note_large_allocation(thread, span, request.bytes);
  return p;
}

// The smallest class that holds the bytes and whose every slot has the alignment; 0 = none has, take whole pages.
LIBALLOC_INLINE unsigned class_for(size_t bytes, size_t align) {
  if (bytes > kMaxSmallBytes || align > kPageBytes) return 0;
  if (align <= 8) return size_to_class(bytes == 0 ? 1 : bytes);
  // Spans start on a page, so a slot is aligned when the slot size is a multiple; and a multiple that holds the bytes is not
  // below the next one.
  bytes = align_up(bytes == 0 ? 1 : bytes, align);
  if (bytes > kMaxSmallBytes) return 0;
  unsigned cls = size_to_class(bytes);
  while (cls < kSizeClasses && (kClasses[cls].bytes & (align - 1)) != 0) cls++;
  return cls < kSizeClasses ? cls : 0;
}

// Most double frees follow each other closely. A hit compares with the slot freed last; a slow path has the time for more.
void check_newest(const Bin& bin, void* p) {
  constexpr ptrdiff_t kNewest = 8;
  const ptrdiff_t held = bin.top - bin.base, n = held < kNewest ? held : kNewest;
  for (ptrdiff_t i = 1; i <= n; i++) {
    if (LIBALLOC_UNLIKELY(bin.top[-i] == p)) report_bad_free(BadFree::kDoubleFree, p);
  }
}

void release_large(Thread& thread, Span* span) {
  const unsigned cls = span->cache_class;
  const uint64_t bytes = span->bytes();
  if (!thread.heap.pages.keep(g_heap, &thread.heap, span)) g_heap.pages().free(span);
  count_free(counter_of(thread, cls));
  owned_add(&thread.block->large_free_bytes, bytes);
}

bool is_object_start(const Span* span, uintptr_t address) {
  if (span->size_class == 0) return address == span->base;
  return span->tiny_words == nullptr && span->is_slot_start(address);  // tiny objects are looked at by tiny_objects
}

size_t usable_bytes(const Span* span) {
  return span->size_class == 0 ? span->bytes() : span->object_bytes;
}

// Whether a request for so many bytes is served by slots, or a number of pages, such as this
// span's.
bool has_size_of(const Span* span, size_t bytes, size_t align) {
  if (class_for(bytes, align) != span->size_class) return false;
  return span->size_class != 0 || align_up(bytes, kPageBytes) >> kPageShift == span->pages;
}

// A slot of the class, from the bin or, where that is empty, by filling it. *zero: it reads as zero. Null when memory ran out.
void* take_slot(Thread& thread, unsigned cache_cls, bool only_one, bool* zero) {
  const HitsClosed closed;
  liballoc_abi_class_counter& counter = counter_of(thread, cache_cls);
  Bin& bin = thread.heap.cache->bins[cache_cls];
  *zero = false;
  if (bin.top != bin.base) return *--bin.top;
  if (load_relaxed(&counter.refills) == 0) {  // the class's first use of this block
    rearm_counter(counter, counted_mallocs(counter), draw_countdown(thread, kClasses[size_class_of(cache_cls)].bytes));
  }
  owned_add(&counter.refills, uint64_t{1});
  uint16_t& fill = thread.heap.fill[cache_cls];
  if (LIBALLOC_UNLIKELY(g_config.check)) fill = 1;  // what is taken is alive
  const uint16_t usual = fill;
  if (only_one) fill = 1;
  void* p = thread_cache_refill(g_heap, thread.heap, cache_cls, zero);
  if (only_one) fill = usual;
  return p;
}

}  // namespace

void* allocate_small(Thread& thread, unsigned cache_cls, size_t requested, bool zero) {
  bool is_zero = false;
  // Of several slots that were never used only the first is still known to be zero when it is asked for.
  void* p = take_slot(thread, cache_cls, zero && requested >= kClearingCosts, &is_zero);
  if (p == nullptr) return nullptr;
  if (zero && !is_zero) memset(p, 0, requested);
  if (count_malloc(counter_of(thread, cache_cls))) sample_small(thread, cache_cls, p, requested);
  return p;
}

void release_small(Thread& thread, Span* span, void* p) {
  const HitsClosed closed;
  const unsigned cls = span->cache_class;
  Bin& bin = thread.heap.cache->bins[cls];
  check_newest(bin, p);
  // Straight to its span's bitmap: in check mode, since that tells a second free.
  if (LIBALLOC_UNLIKELY(g_config.check) || LIBALLOC_UNLIKELY(!thread_cache_keeps(thread.heap, cls))) {
    BadFree bad = BadFree::kNone;
    if (g_heap.central(cls).free_slots(&p, 1, &bad) != 1) report_bad_free(bad, p);
    count_free(counter_of(thread, cls));
    return;
  }
  if (bin.top == bin.limit) {
    BadFree bad = BadFree::kNone;
    void* culprit = nullptr;
    owned_add(&counter_of(thread, cls).refills, uint64_t{1});
    if (!thread_cache_make_room(g_heap, thread.heap, cls, &bad, &culprit)) report_bad_free(bad, culprit);
    if (g_heap.transfer(cls).gives() % 16 == 0) thread.pages_freed = true;  // what lies there may grow old
  }
  *bin.top++ = p;
  count_free(counter_of(thread, cls));
}

static void* allocate_in_slow_path(const AllocationRequest& request) {
  SlowPath slow;
  Thread* thread = slow.thread();
  if (LIBALLOC_UNLIKELY(thread == nullptr)) {
    void* p = slow.reentered() ? emergency_alloc(request.bytes, request.align) : nullptr;
    if (p == nullptr) count_out_of_memory();
    return p;  // fresh from the OS: zero
  }
  const unsigned cls = class_for(request.bytes, request.align);
  const unsigned cache_cls = cache_class(cls, request.noscan);
  void* p = nullptr;
  if (LIBALLOC_UNLIKELY(g_config.sbrk)) p = sbrk_allocate(*thread, request.bytes, request.align, cache_cls);
  else if (cls == 0) p = allocate_large(*thread, request);
  else if (request.noscan && cache_cls <= kTinyClass) p = allocate_tiny(*thread, request.bytes, request.align);
  else p = allocate_small(*thread, cache_cls, request.bytes, request.zero);
  if (p == nullptr) {
    count_out_of_memory();
    thread->figures_changed = true;
    return nullptr;
  }
  // Objects of slots and large ones have seen to it, memory of sbrk mode is new.
  if (LIBALLOC_UNLIKELY(request.zero && request.noscan && cache_cls <= kTinyClass)) memset(p, 0, request.bytes);
  return p;
}

void* allocate_slow(const AllocationRequest& request) {
  void* p = allocate_in_slow_path(request);
  if (LIBALLOC_UNLIKELY(g_scavenge_thread_due.load(std::memory_order_relaxed))) scavenge_thread_start();
  return p;
}

void* allocate_sampled(size_t bytes) {
  const unsigned cache_cls = cache_class(size_to_class(bytes), false);
  SlowPath slow;
  Thread* thread = slow.thread();
  if (LIBALLOC_UNLIKELY(thread == nullptr)) {
    LIBALLOC_DCHECK(t_cache != kEmptyCache);  // it came from a hit
    uncount_malloc(counter_beside(t_cache->bins[cache_cls]));  // what is served instead is no object of the class
    return emergency_alloc(bytes, 16);
  }
  void* p = nullptr;
  {
    const HitsClosed closed;
    p = *--thread->heap.cache->bins[cache_cls].top;
  }
  sample_small(*thread, cache_cls, p, bytes);
  return p;
}

void* allocate_plain_slow(size_t bytes) { return allocate_slow({bytes, 8, false, false}); }

void* allocate_general(const AllocationRequest& request) {
  if (!request.noscan && request.align <= kPageBytes) {
    // A size that the class serves whatever the alignment: then the plain path does.
    if (const unsigned cls = class_for(request.bytes, request.align)) {
      const size_t bytes = request.align <= 8 ? request.bytes : kClasses[cls].bytes;
      if (!request.zero) return allocate_of_class_or<allocate_plain_slow>(size_t{cls} * kClassScale, bytes);
      // Whether an object is zero already is known in the slow path alone; what a bin holds was mostly used before.
      const Bin& bin = t_cache->bins[cls];
      if (bin.top == bin.base) return allocate_slow(request);
      void* p = allocate_of_class_or<allocate_plain_slow>(size_t{cls} * kClassScale, bytes);
      if (p != nullptr) memset(p, 0, request.bytes);
      return p;
    }
  }
  return allocate_slow(request);
}

void release_slow(void* p) noexcept {
  if (p == nullptr || p == zero_size_address()) return;
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  SlowPath slow;
  Thread* thread = slow.thread();
  if (LIBALLOC_UNLIKELY(thread == nullptr)) return;  // from a signal handler inside a slow path: the object is lost
  if (LIBALLOC_UNLIKELY(g_config.sbrk)) return sbrk_release(*thread, p);
  Span* span = g_heap.map().find_in_use(address);
  if (LIBALLOC_UNLIKELY(span == nullptr)) {
    if (in_emergency(p)) return;
    report_bad_free(g_heap.map().arena_of(address) != nullptr ? BadFree::kNotAllocated : BadFree::kForeign, p);
  }
  if (span->size_class == 0) {
    if (address != span->base) report_bad_free(BadFree::kInterior, p);
    if (span->place != SpanPlace::kLarge) report_bad_free(BadFree::kDoubleFree, p);
    if (has_specials(span)) unsample_object(*thread, span, 0);
    release_large(*thread, span);
    return;
  }
  if (span->tiny_words != nullptr) return release_tiny(*thread, span, p);
  if (!span->is_slot_start(address)) report_bad_free(BadFree::kInterior, p);
  if (has_specials(span)) unsample_object(*thread, span, span->slot_of(address));
  release_small(*thread, span, p);
}

void release_sized_slow(void* p, size_t bytes, size_t align) noexcept {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  const Span* span = p != nullptr ? g_heap.map().find_in_use(address) : nullptr;
  if (span != nullptr && is_object_start(span, address)) {
    const size_t usable = usable_bytes(span);
    // realloc may leave an object in a slot up to twice its size, and in a larger one when memory ran out.
    const bool too_small = g_config.check && bytes < usable / 2 && !has_size_of(span, bytes, align);
    if (LIBALLOC_UNLIKELY(bytes > usable || too_small)) report_wrong_size(p, bytes, usable);
  }
  release_slow(p);
}

void release_judging_size(void* p, size_t bytes) noexcept {
  const unsigned cls = class_of_page(p);
  if (cls != 0 && bytes <= size_class_detail::kSmallStepLimit) judge_size(cls == size_to_class(bytes));
  release(p);
}

void check_sized_delete(const void* p, size_t bytes, size_t align) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  const Span* span = p != nullptr ? g_heap.map().find_in_use(address) : nullptr;
  if (span == nullptr || !is_object_start(span, address)) return;  // the free itself says so
  if (!has_size_of(span, bytes, align)) report_wrong_size(p, bytes, usable_bytes(span));
}

void* zero_size_address() {
  alignas(kTinyBlockBytes) static constinit char nothing[1] = {};
  return nothing;
}

bool is_noscan(const void* p) {
  if (const unsigned cls = class_of_page(p)) return cls >= kSizeClasses;
  const Span* span = g_heap.map().find_in_use(reinterpret_cast<uintptr_t>(p));
  return span != nullptr && span->noscan;
}

size_t usable_size(const void* p, const char* call) {
  if (p == nullptr) return 0;
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  if (const unsigned cls = class_of_page(p)) {
    const SizeClass& c = kClasses[size_class_of(cls)];
    if (c.pages == 1) {  // the offset in the span is the one in the page: no span to look at
      const uint32_t offset = static_cast<uint32_t>(address & (kPageBytes - 1)), slot = slot_index(offset, c.magic);
      if (LIBALLOC_LIKELY(slot * c.bytes == offset && slot < c.objects)) return c.bytes;
    }
  }
  if (const Span* span = g_heap.map().find_in_use(address)) {
    if (span->tiny_words != nullptr) return tiny_usable_size(span, p);
    if (LIBALLOC_UNLIKELY(!is_object_start(span, address))) report_bad_free(BadFree::kInterior, p, call);
    return usable_bytes(span);
  }
  if (p == zero_size_address()) return 0;
  if (size_t bytes = 0; sbrk_usable_size(p, &bytes)) return bytes;
  if (in_emergency(p)) return emergency_usable(p);
  report_bad_free(
      g_heap.map().arena_of(address) != nullptr ? BadFree::kNotAllocated : BadFree::kForeign, p,
      call);
}

}  // namespace liballoc
