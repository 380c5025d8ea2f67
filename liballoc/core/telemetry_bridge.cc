// telemetry_bridge.cc - see telemetry_bridge.h.
#include "liballoc/core/telemetry_bridge.h"

#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/sbrk_mode.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/specials.h"
#include "liballoc/meta/persistent_alloc.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

uint8_t span_state_of(const Span* s) {
  switch (s->state.load(std::memory_order_relaxed)) {
    case SpanState::kDead: return LIBALLOC_SPAN_DEAD;
    case SpanState::kFree: return LIBALLOC_SPAN_FREE;
    case SpanState::kManual: return LIBALLOC_SPAN_FREE;  // on its way into or out of the free trees
    case SpanState::kInUse: break;
  }
  switch (s->place) {
    case SpanPlace::kPartial: return LIBALLOC_SPAN_PARTIAL;
    case SpanPlace::kFull: return LIBALLOC_SPAN_FULL;
    case SpanPlace::kNowhere:  // between the page heap and its first cache
    case SpanPlace::kCached: return LIBALLOC_SPAN_CACHED;
    case SpanPlace::kLarge: return LIBALLOC_SPAN_LARGE;
    case SpanPlace::kPageCached: return LIBALLOC_SPAN_PAGE_CACHED;
  }
  return LIBALLOC_SPAN_DEAD;
}

uint32_t owner_tid_of(const Span* s) {
  // A ThreadState is the first member of its Thread.
  static_assert(offsetof(Thread, heap) == 0);
  return s->owner != nullptr ? reinterpret_cast<const Thread*>(s->owner)->tid : 0;
}

void write_record(const Span* s, uint64_t now) {
  liballoc_abi_span record = {};
  record.base = s->base;
  record.pages = static_cast<uint32_t>(s->pages);
  record.state = span_state_of(s);
  const bool in_use = s->state.load(std::memory_order_relaxed) == SpanState::kInUse;
  record.size_class = in_use ? s->size_class : 0;
  record.flags = static_cast<uint8_t>((in_use && s->noscan ? LIBALLOC_SPAN_FLAG_NOSCAN : 0) |
                                      (s->scavenged ? LIBALLOC_SPAN_FLAG_SCAVENGED : 0) |
                                      (s->need_zero ? LIBALLOC_SPAN_FLAG_NEED_ZERO : 0));
  record.object_bytes = in_use ? s->object_bytes : 0;
  record.objects = in_use ? s->objects : 0;
  record.allocated = in_use ? s->alloc_count : 0;
  record.owner_tid = owner_tid_of(s);
  record.changed_ns = now;
  record.unused_ns = in_use ? 0 : s->unused_since;
  g_segment.write_span(s->telemetry_record, record);
}

// One clock reading serves all events of a slow path: it is shorter than the clock's cost matters.
uint64_t event_time(Thread* thread) {
  if (thread == nullptr || !thread->in_slow) return monotonic_ns();
  if (thread->slow_ns == 0) thread->slow_ns = monotonic_ns();
  return thread->slow_ns;
}

uint32_t event_kind(SpanEvent event) {
  switch (event) {
    case SpanEvent::kAlloc: return LIBALLOC_EVENT_SPAN_ALLOC;
    case SpanEvent::kCache: return LIBALLOC_EVENT_SPAN_CACHE;
    case SpanEvent::kUncache: return LIBALLOC_EVENT_SPAN_UNCACHE;
    case SpanEvent::kSweep: return LIBALLOC_EVENT_SPAN_SWEEP;
    case SpanEvent::kFree: return LIBALLOC_EVENT_SPAN_FREE;
    case SpanEvent::kSplit: return LIBALLOC_EVENT_SPAN_SPLIT;
    case SpanEvent::kMerge: return LIBALLOC_EVENT_SPAN_MERGE;
    case SpanEvent::kScavenge: return LIBALLOC_EVENT_SPAN_SCAVENGE;
    case SpanEvent::kReuse: return LIBALLOC_EVENT_SPAN_REUSE;
    case SpanEvent::kFiled:
    case SpanEvent::kCreate:
    case SpanEvent::kDestroy:
    case SpanEvent::kTaken: break;
  }
  return LIBALLOC_EVENT_NONE;
}

void on_span(Span* s, SpanEvent event, uint64_t detail) {
  Thread* thread = t_thread;
  if (thread != nullptr && event == SpanEvent::kFree) thread->pages_freed = true;
  if (!g_segment.active()) return;
  if (event == SpanEvent::kCreate) {
    s->telemetry_record = g_segment.add_span();
    return;  // its first change writes it
  }
  if (event == SpanEvent::kDestroy) {
    g_segment.remove_span(s->telemetry_record);
    s->telemetry_record = 0;
    return;
  }
  if (event == SpanEvent::kTaken) {
    g_segment.set_span_allocated(s->telemetry_record, s->alloc_count);
    return;
  }
  const uint64_t now = event_time(thread);
  write_record(s, now);
  if (event == SpanEvent::kFiled) return;
  const uint8_t flags = s->scavenged ? LIBALLOC_SPAN_FLAG_SCAVENGED : 0;
  g_segment.emit(event_kind(event), thread != nullptr ? thread->tid : 0, now, s->base, s->pages, s->telemetry_record,
                 s->size_class | uint64_t{flags} << 8, detail);
}

void on_grow(uintptr_t address, uint64_t bytes) {
  if (!g_segment.active()) return;
  g_segment.emit(LIBALLOC_EVENT_HEAP_GROW, t_thread != nullptr ? t_thread->tid : 0, monotonic_ns(), address, bytes);
}

// What publish_page_figures() looks at.
void fill_page_figures(const PageHeapStats& pages, liballoc_abi_memstats* m) {
  const SysMemStats& os = sys_mem_stats();
  m->updated_ns = event_time(t_thread);
  m->heap_sys = pages.heap_sys();
  m->heap_inuse = pages.in_use;
  m->heap_idle = pages.idle;
  m->heap_released = pages.released;
  m->mspan_inuse = pages.mspan_inuse;
  m->mspan_sys = g_heap.sys().mspan.load();
  m->os_prepared = os.prepared_bytes.load();
  m->os_ready = os.ready_bytes.load();
  m->peak_heap_inuse = pages.peak_in_use;
  m->peak_heap_inuse_ns = pages.peak_in_use_ns;
  m->spans_live = pages.spans_in_use;
  m->spans_idle = pages.spans_idle;
}

// With the page heap's lock held: everything else is read from counters.
void on_figures(const PageHeapStats& pages, bool only_pages) {
  if (!g_segment.active()) return;
  if (only_pages) {
    liballoc_abi_memstats m;
    fill_page_figures(pages, &m);
    g_segment.publish_page_figures(m);
    return;
  }
  const SysStats& sys = g_heap.sys();
  const SysMemStats& os = sys_mem_stats();
  const ThreadCounts threads = thread_counts();
  liballoc_abi_memstats m = {};
  fill_page_figures(pages, &m);
  m.mcache_inuse = thread_cache_inuse_bytes();
  m.mcache_sys = sys.mcache.load();
  m.buck_hash_sys = g_segment.backed_bytes() + specials_sys_bytes();
  m.gc_sys = sys.gc.load();
  m.other_sys = sys.other.load() + persistent_unused_bytes() + sbrk_sys_bytes();
  m.os_reserved = os.reserved_bytes.load();
  for (unsigned i = 0; i < kSysCallCount; i++) m.os_calls[i] = os.calls[i].load();
  m.scavenged_bytes = pages.scavenged_total;
  m.scavenge_ns = pages.scavenge_ns_total;
  m.heap_grows = pages.grows;
  m.heap_grow_bytes = pages.grow_bytes;
  m.soft_limit = pages.soft_limit;
  m.soft_limit_hits = pages.soft_limit_hits;
  m.out_of_memory = out_of_memory_count();
  m.sample_period = sample_period();
  m.threads_live = threads.live;
  m.threads_started = threads.started;
  m.arenas = pages.arenas;
  g_segment.publish_memstats(m);
}

}  // namespace

void bridge_install() { g_heap_observer = {on_span, on_grow, on_figures}; }

void bridge_publish_all_spans() {
  g_heap.pages().for_each_span(
      [](Span* s, void*) {
        clear_specials(g_heap.map(), s);  // they name samples of another segment
        s->telemetry_record = g_segment.add_span();
        write_record(s, monotonic_ns());
      },
      nullptr);
}

void bridge_publish_memstats() {
  if (g_segment.active()) g_heap.pages().publish();
}

}  // namespace liballoc
