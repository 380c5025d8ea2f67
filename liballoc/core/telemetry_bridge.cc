// telemetry_bridge.cc - see telemetry_bridge.h.
#include "liballoc/core/telemetry_bridge.h"

#include "liballoc/base/syscall.h"
#include "liballoc/core/emergency.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/sbrk_mode.h"
#include "liballoc/core/scavenge_thread.h"
#include "liballoc/heap/heap_observer.h"
#include "liballoc/heap/specials.h"
#include "liballoc/meta/persistent_alloc.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"

namespace liballoc {

namespace {

struct SpanLook {
  bool in_use;
  uint8_t state, flags;
};

LIBALLOC_INLINE SpanLook look_of(const Span* s) {
  static constexpr uint8_t kStates[] = {
      LIBALLOC_SPAN_PARTIAL,  // kNowhere: between the page heap and its class's list
      LIBALLOC_SPAN_PARTIAL, LIBALLOC_SPAN_FULL, LIBALLOC_SPAN_CACHED, LIBALLOC_SPAN_LARGE, LIBALLOC_SPAN_PAGE_CACHED};
  const unsigned flags = (s->scavenged ? LIBALLOC_SPAN_FLAG_SCAVENGED : 0) | (s->need_zero ? LIBALLOC_SPAN_FLAG_NEED_ZERO : 0);
  if (s->state.load(std::memory_order_relaxed) != SpanState::kInUse) {
    // It may be on its way into or out of the free trees; no record outlives its span.
    return {false, LIBALLOC_SPAN_FREE, static_cast<uint8_t>(flags)};
  }
  return {true, kStates[static_cast<size_t>(s->place)],
          static_cast<uint8_t>(flags | (s->noscan ? LIBALLOC_SPAN_FLAG_NOSCAN : 0))};
}

uint32_t owner_tid_of(const Span* s) {
  // A ThreadState is the first member of its Thread.
  static_assert(offsetof(Thread, heap) == 0);
  return s->owner != nullptr ? reinterpret_cast<const Thread*>(s->owner)->tid : 0;
}

// With the lock held that guards the span, which keeps writers of its record apart.
LIBALLOC_INLINE void write_record(const Span* s, SpanLook look, uint64_t now) {
  auto* const r = static_cast<liballoc_abi_span*>(s->telemetry);
  if (LIBALLOC_UNLIKELY(r == nullptr)) return;
  SequenceWrite write(&r->sequence);
  store_relaxed<uint64_t>(&r->base, s->base);
  store_relaxed(&r->pages, static_cast<uint32_t>(s->pages));
  store_relaxed(&r->state, look.state);
  store_relaxed(&r->flags, look.flags);
  store_relaxed(&r->changed_ns, now);
  if (look.in_use) {
    store_relaxed(&r->size_class, s->size_class);
    store_relaxed(&r->object_bytes, s->object_bytes);
    store_relaxed(&r->objects, s->objects);
    store_relaxed(&r->allocated, s->alloc_count);
    store_relaxed(&r->owner_tid, owner_tid_of(s));
    store_relaxed<uint64_t>(&r->unused_ns, 0);
  } else {
    store_relaxed(&r->size_class, uint8_t{0});
    store_relaxed<uint32_t>(&r->object_bytes, 0);
    store_relaxed<uint32_t>(&r->objects, 0);
    store_relaxed<uint32_t>(&r->allocated, 0);
    store_relaxed<uint32_t>(&r->owner_tid, 0);
    store_relaxed(&r->unused_ns, s->unused_since);
  }
}

// One reading of the clock serves all events of a slow path, and it is the kernel's last tick: a finer one costs more than all
// else that an event does. The ring's sequence says what came first.
LIBALLOC_INLINE uint64_t event_time(Thread* thread) {
  if (LIBALLOC_UNLIKELY(thread == nullptr || !thread->in_slow)) return monotonic_coarse_ns();
  if (LIBALLOC_UNLIKELY(thread->slow_ns == 0)) thread->slow_ns = monotonic_coarse_ns();
  return thread->slow_ns;
}
uint64_t current_event_time() { return event_time(t_thread); }

struct EventRule {
  uint8_t kind;  // in the ring; NONE: no event
  bool settled;  // the table is to show the span as it is now
};
// In the order of SpanEvent.
constexpr EventRule kEventRules[] = {
    {LIBALLOC_EVENT_SPAN_ALLOC, true},  {LIBALLOC_EVENT_SPAN_CACHE, true},    {LIBALLOC_EVENT_SPAN_UNCACHE, true},
    {LIBALLOC_EVENT_SPAN_SWEEP, true},  {LIBALLOC_EVENT_SPAN_FREE, true},     {LIBALLOC_EVENT_SPAN_SCAVENGE, true},
    {LIBALLOC_EVENT_SPAN_SPLIT, false}, {LIBALLOC_EVENT_SPAN_MERGE, false},   {LIBALLOC_EVENT_SPAN_REUSE, false},
    {LIBALLOC_EVENT_NONE, true},
};
static_assert(static_cast<size_t>(SpanEvent::kScavenge) == 5 && static_cast<size_t>(SpanEvent::kReuse) == 8 &&
              static_cast<size_t>(SpanEvent::kFiled) == 9);

LIBALLOC_NOINLINE void on_span_record(Span* s, SpanEvent event) {
  if (event == SpanEvent::kTaken) {
    auto* const r = static_cast<liballoc_abi_span*>(s->telemetry);
    if (r != nullptr) store_relaxed(&r->allocated, s->alloc_count);
  } else if (event == SpanEvent::kCreate) {
    s->telemetry_record = g_segment.add_span();  // kFiled or kAlloc will write it
    s->telemetry = g_segment.span_record(s->telemetry_record);
  } else {
    g_segment.remove_span(s->telemetry_record);
    s->telemetry_record = 0;
    s->telemetry = nullptr;
  }
}

// The event alone says what the span is now, so that whoever replays the ring needs nothing else.
LIBALLOC_INLINE void emit_span(uint32_t kind, const Span* s, SpanLook look, uint64_t detail, uint32_t tid, uint64_t now) {
  const uint64_t what = (look.in_use ? s->size_class : 0u) | unsigned{look.flags} << 8 | unsigned{look.state} << 16;
  g_segment.emit_active(kind, tid, now, s->base, s->pages, s->telemetry_record, what, detail);
}

LIBALLOC_INLINE void on_change(Span* s, SpanEvent event, uint64_t detail, uint32_t tid, uint64_t now) {
  const EventRule rule = kEventRules[static_cast<size_t>(event)];
  const SpanLook look = look_of(s);
  if (rule.settled) write_record(s, look, now);
  if (rule.kind == LIBALLOC_EVENT_NONE) return;
  emit_span(rule.kind, s, look, detail, tid, now);
}

// The first change of a slow path, or one outside of any.
LIBALLOC_NOINLINE void on_first_change(Span* s, SpanEvent event, uint64_t detail) {
  Thread* const thread = t_thread;
  const uint64_t now = event_time(thread);
  on_change(s, event, detail, thread != nullptr ? thread->tid : 0, now);
}

// Nothing on the way through here is a call, so that no register is saved.
void on_span(Span* s, SpanEvent event, uint64_t detail) {
  Thread* const thread = t_thread;
  if (event == SpanEvent::kFree && thread != nullptr) thread->pages_freed = true;
  if (!g_segment.active()) return;
  if (event > SpanEvent::kFiled) return on_span_record(s, event);
  if (LIBALLOC_UNLIKELY(thread == nullptr || !thread->in_slow || thread->slow_ns == 0)) {
    return on_first_change(s, event, detail);
  }
  on_change(s, event, detail, thread->tid, thread->slow_ns);
}

void on_grow(uintptr_t address, uint64_t bytes) {
  static constinit RelaxedCounter total;  // the heap never shrinks
  total.add(bytes);
  scavenge_thread_heap_grew(total.load());
  Thread* const thread = t_thread;
  g_segment.emit(LIBALLOC_EVENT_HEAP_GROW, thread != nullptr ? thread->tid : 0, event_time(thread), address, bytes);
}

// The peak profile is taken at the end of the slow path, when the object that it is about is there.
void on_crossed() {
  Thread* const thread = t_thread;
  if (thread != nullptr && thread->in_slow) thread->peak_due = true;
}

// The figures that an allocation or free of a span changes. With the page heap's lock held, as always when memstats are
// written.
void publish_page_figures(const PageHeapStats& pages) {
  liballoc_abi_memstats* const m = g_segment.memstats();
  if (m == nullptr) return;
  const uint64_t now = event_time(t_thread);
  const SysMemStats& os = sys_mem_stats();
  SequenceWrite write(&m->sequence);
  store_relaxed(&m->updated_ns, now);
  store_relaxed(&m->heap_inuse, pages.in_use);
  store_relaxed(&m->heap_idle, pages.idle);
  store_relaxed(&m->heap_released, pages.released);
  store_if_changed(&m->os_prepared, os.prepared_bytes.load());  // memory that was idle is used again
  store_if_changed(&m->os_ready, os.ready_bytes.load());
  store_if_changed(&m->os_calls[kSysUsed], os.calls[kSysUsed].load());
  store_relaxed(&m->mspan_inuse, pages.mspan_inuse);
  store_if_changed(&m->peak_heap_inuse, pages.peak_in_use);
  store_if_changed(&m->peak_heap_inuse_ns, pages.peak_in_use_ns);
  store_relaxed(&m->spans_live, pages.spans_in_use);
  store_relaxed(&m->spans_idle, pages.spans_idle);
}

// With the page heap's lock held: everything else is read from counters.
void on_figures(const PageHeapStats& pages, bool only_pages) {
  if (only_pages) return publish_page_figures(pages);
  if (!g_segment.active()) return;
  const SysStats& sys = g_heap.sys();
  const SysMemStats& os = sys_mem_stats();
  const ThreadCounts threads = thread_counts();
  liballoc_abi_memstats m = {};
  m.updated_ns = event_time(t_thread);
  m.heap_sys = pages.heap_sys();
  m.heap_inuse = pages.in_use;
  m.heap_idle = pages.idle;
  m.heap_released = pages.released;
  m.mspan_inuse = pages.mspan_inuse;
  m.mspan_sys = sys.mspan.load();
  m.os_prepared = os.prepared_bytes.load();
  m.os_ready = os.ready_bytes.load();
  m.peak_heap_inuse = pages.peak_in_use;
  m.peak_heap_inuse_ns = pages.peak_in_use_ns;
  m.spans_live = pages.spans_in_use;
  m.spans_idle = pages.spans_idle;
  m.mcache_inuse = thread_cache_inuse_bytes();
  m.mcache_sys = sys.mcache.load();
  m.buck_hash_sys = g_segment.backed_bytes() + specials_sys_bytes();
  m.gc_sys = sys.gc.load();
  m.other_sys = sys.other.load() + persistent_unused_bytes() + sbrk_sys_bytes() + emergency_sys_bytes();
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
  m.next_trigger = pages.trigger;
  g_segment.publish_memstats(m);
}

}  // namespace

void bridge_install() { g_heap_observer = {on_span, on_grow, on_figures, on_crossed, current_event_time}; }

void bridge_forget_all_spans() {
  g_heap.pages().for_each_span(
      [](Span* s, void*) {
        clear_specials(g_heap.map(), s);  // they name samples of another segment
        s->telemetry_record = 0;
        s->telemetry = nullptr;
      },
      nullptr);
}

void bridge_publish_all_spans(bool with_events) {
  g_heap.pages().for_each_span(
      [](Span* s, void* context) {
        if (s->telemetry_record != 0) return;  // made since the segment is there
        s->telemetry_record = g_segment.add_span();
        s->telemetry = g_segment.span_record(s->telemetry_record);
        const uint64_t now = monotonic_coarse_ns();
        const SpanLook look = look_of(s);
        write_record(s, look, now);
        if (!*static_cast<bool*>(context) || !g_segment.active()) return;
        emit_span(look.in_use ? LIBALLOC_EVENT_SPAN_ALLOC : LIBALLOC_EVENT_SPAN_FREE, s, look, 0, sys::current_tid(), now);
      },
      &with_events);
}

void bridge_record_peak(Thread& thread) {
  if (!g_segment.active()) return;
  const PageHeapStats pages = g_heap.pages().stats();
  const uint64_t now = event_time(&thread);
  const uint64_t generation = g_segment.record_peak(pages.in_use, now);
  g_segment.emit(LIBALLOC_EVENT_HEAP_PEAK, thread.tid, now, pages.in_use, pages.trigger, generation);
}

void bridge_publish_memstats() {
  if (g_segment.active()) g_heap.pages().publish();
}

}  // namespace liballoc
