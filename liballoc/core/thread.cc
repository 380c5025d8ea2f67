// thread.cc - see thread.h.
#include "liballoc/core/thread.h"

#include <pthread.h>

#include "liballoc/base/lanes.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/counters.h"
#include "liballoc/core/fork.h"
#include "liballoc/core/labels.h"
#include "liballoc/core/report.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/telemetry_bridge.h"
#include "liballoc/core/tiny_objects.h"
#include "liballoc/heap/thread_region.h"
#include "liballoc/meta/fixed_alloc.h"
#include "liballoc/os/os.h"

namespace liballoc {

namespace {

constinit SpinLock g_registry_lock{LockRank::kThreadRegistry};  // guards what follows
constinit FixedAlloc<Thread> g_storage{g_heap.sys().mcache};
constinit Thread* g_live = nullptr;
constinit Thread* g_pool = nullptr;
constinit uint32_t g_records = 0;  // that were ever made
constinit RelaxedCounter g_live_count, g_started_count;  // written under the registry lock

constinit pthread_key_t g_exit_key = 0;
constinit bool g_hits = true;  // set once at start-up, while there is one thread
constinit bool g_exit_key_made = false;  // written under the registry lock before any Thread exists
// Set when the thread's exit handler has run: what still comes gets a record for one call at a time.
constinit thread_local bool t_exited LIBALLOC_TLS_MODEL = false;

void unlink(Thread* t) {
  if (t->prev != nullptr) t->prev->next = t->next;
  else g_live = t->next;
  if (t->next != nullptr) t->next->prev = t->prev;
}

void link_live(Thread* t) {
  t->prev = nullptr;
  t->next = g_live;
  if (g_live != nullptr) g_live->prev = t;
  g_live = t;
}

void to_pool(Thread* t) {
  t->next = g_pool;
  g_pool = t;
}

void on_thread_exit(void* thread) {
  Thread* const t = t_thread == thread ? t_thread : nullptr;
  if (t != nullptr) {
    t->in_slow = true;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // a handler's call of a thread that has exited would end the record
  }
  t_exited = true;
  if (t != nullptr) thread_detach();
}

// Empties the thread's cache. Inside a slow path.
void flush(Thread& t) {
  const HitsClosed closed;
  BadFree bad = BadFree::kNone;
  void* culprit = nullptr;
  let_tiny_go(t);
  if (!thread_cache_flush(g_heap, t.heap, &bad, &culprit)) report_bad_free(bad, culprit);
}

void close_hits() {
  t_cache = kEmptyCache;
  std::atomic_signal_fence(std::memory_order_seq_cst);  // from here on a signal handler meets no bin and no count while it moves
}

void allow_hits(Thread& t) {
  std::atomic_signal_fence(std::memory_order_seq_cst);  // all is in place before a signal handler may hit
  t_cache = g_hits && t.counted_beside ? t.heap.cache : kEmptyCache;
}

// By one address, for slow paths too: a cache that finds lines by their virtual address would pass each line back and forth.
void enter_segment_block(Thread& t) {
  t.block = t.counted_beside ? thread_region_block(t.heap) : t.segment_block;
  t.heap.counters = t.block->classes;
  allow_hits(t);
}

// Puts a block of the segment where hits of the thread find it. Where that cannot be, hits stay off and every call counts in the
// slow path.
void use_segment_block(Thread& t, liballoc_abi_thread* block) {
  close_hits();
  t.segment_block = block;
  forget_label_set(t);
  const RegionView view = thread_region_make_way(t.heap, block);
  t.counted_beside = g_segment.view_thread_block(block, view.at, view.bytes);
  enter_segment_block(t);
}

void use_private_block(Thread& t) {
  t.block = thread_region_block(t.heap);
  t.heap.counters = t.block->classes;
  store_release(&t.private_block, t.block);  // pairs with the visitors' acquire
  t.counted_beside = true;
  allow_hits(t);
}

// A region that a thread may use. Under the registry's lock. False when memory ran out.
bool ready_region(Thread& t) {
  if (t.segment_block != nullptr) return true;
  if (t.heap.cache != nullptr && thread_region_mend(t.heap)) return true;
  return thread_region_init(t.heap, g_heap.sys().mcache);
}

// A block that ended threads left keeps its counts, so sums are over blocks, not over threads.
void visit_blocks_locked(void (*visit)(const liballoc_abi_thread* block, void* context), void* context) {
  g_segment.for_each_thread_block(visit, context);
  for (const Thread* list : {g_live, g_pool}) {
    for (const Thread* t = list; t != nullptr; t = t->next) {
      if (const liballoc_abi_thread* block = load_acquire(&t->private_block)) visit(block, context);
    }
  }
}

}  // namespace

constinit const ThreadCache g_empty_cache{};
constinit thread_local ThreadCache* t_cache LIBALLOC_TLS_MODEL = kEmptyCache;
constinit thread_local Thread* t_thread LIBALLOC_TLS_MODEL = nullptr;
constinit thread_local uint32_t t_changing LIBALLOC_TLS_MODEL = 0;

bool thread_start_heap() {
  const ThreadChanging changing;
  LockHolder hold(g_registry_lock);
  return runtime_start_heap();
}

namespace {

// A record of the calling thread's, inside a slow path. Null as thread_attach(). *now stays 0 when it is ready already.
Thread* make_record(uint64_t* now) {
  const ThreadChanging changing;
  if (LIBALLOC_UNLIKELY(fork_in_new_process())) fork_become_child();
  Thread* t = t_thread;
  if (t != nullptr) {  // of a signal handler that came before this was said
    t->in_slow = true;
    return t;
  }
  {
    LockHolder hold(g_registry_lock);
    if (!runtime_start_heap()) return nullptr;
    if (!g_exit_key_made) g_exit_key_made = pthread_key_create(&g_exit_key, on_thread_exit) == 0;
    t = g_pool;
    if (t != nullptr) g_pool = t->next;
    else if ((t = g_storage.allocate()) != nullptr) t->lane = g_records++ % kLanes;
    if (t == nullptr) return nullptr;
    if (!ready_region(*t)) {
      to_pool(t);
      return nullptr;
    }
    link_live(t);
    g_live_count.add(1);
    if (!t_exited) g_started_count.add(1);
  }
  *now = monotonic_ns();
  t->tid = sys::current_tid();
  t->random.seed(*now ^ (uint64_t{t->tid} << 32) ^ reinterpret_cast<uintptr_t>(t));
  t->next_sample = draw_next_sample(*t);
  t->figures_changed = true;  // memstats count threads
  if (!thread_cache_is_ready(t->heap)) thread_cache_reset_bins(t->heap);
  t->heap.cache->state = &t->heap;
  t->in_slow = true;  // whoever comes meanwhile is served without it
  t_thread = t;
  return t;
}

}  // namespace

Thread* thread_attach() {
  uint64_t now = 0;
  Thread* t = make_record(&now);
  if (t == nullptr || now == 0) return t;
  if (t->segment_block != nullptr) {
    g_segment.enter_thread_block(t->segment_block, t->tid, now);
    enter_segment_block(*t);
  } else if (liballoc_abi_thread* block = t->private_block == nullptr ? g_segment.add_thread_block() : nullptr) {
    g_segment.enter_thread_block(block, t->tid, now);
    use_segment_block(*t, block);
  } else {
    use_private_block(*t);  // counts that are there already go along when the thread joins the segment
  }
  if (g_exit_key_made && !t_exited) {
    pthread_setspecific(g_exit_key, t);  // libc may allocate for the key
    g_segment.emit(LIBALLOC_EVENT_THREAD_START, t->tid, now);
  }
  return t;
}

void thread_detach() {
  Thread* t = t_thread;
  t->in_slow = true;  // a signal handler must not use the cache that is going away
  t_cache = kEmptyCache;
  flush(*t);
  drop_labels(*t);
  const ThreadChanging changing;
  t_thread = nullptr;
  if (t->segment_block != nullptr) {
    g_segment.leave_thread_block(t->block);
    if (!t_exited || g_exit_key_made) g_segment.emit(LIBALLOC_EVENT_THREAD_EXIT, t->tid, monotonic_ns());
  }
  t->block = nullptr;
  t->in_slow = false;
  {
    LockHolder hold(g_registry_lock);
    unlink(t);
    g_live_count.sub(1);
    to_pool(t);
  }
  bridge_publish_memstats();
}

void thread_report_double_free() {
  const Thread* t = t_thread;
  // In a slow path bins may be halfway through a change; wiped ones are a parent's.
  if (t == nullptr || t->in_slow || t->heap.cache->state == nullptr) return;
  if (void* p = thread_cache_repeated(t->heap)) report_bad_free(BadFree::kDoubleFree, p);
}

void thread_shrink(uint64_t now_ns) {
  constexpr uint64_t kIntervalNs = 1'000'000'000;
  Thread& t = *t_thread;
  if (now_ns < t.shrunk_ns + kIntervalNs) return;
  t.shrunk_ns = now_ns;
  const HitsClosed closed;
  BadFree bad = BadFree::kNone;
  void* culprit = nullptr;
  if (!thread_cache_shrink(g_heap, t.heap, &bad, &culprit)) report_bad_free(bad, culprit);
}

void thread_give_all_back() {
  flush(*t_thread);
  g_heap.drain_transfers(true);
}

void thread_stop_hits() {
  g_hits = false;
  t_cache = kEmptyCache;
}

bool thread_is_inside() { return t_changing != 0 || (t_thread != nullptr && t_thread->in_slow); }

void thread_serve_singly() { t_exited = true; }
bool thread_exited() { return t_exited; }

void thread_join_segment(Thread* t) {
  if (t->block != t->private_block || !g_segment.active()) return;
  liballoc_abi_thread* to = g_segment.add_thread_block();
  if (to == nullptr) return;
  g_segment.enter_thread_block(to, t->tid, monotonic_ns());
  close_hits();  // nothing is counted while the counts move
  LockHolder hold(g_registry_lock);  // whoever sums over blocks sees the counts in one of the two
  liballoc_abi_thread* from = t->private_block;
  for (unsigned c = 0; c < kCacheClasses; c++) {
    liballoc_abi_class_counter& source = from->classes[c];
    liballoc_abi_class_counter& target = to->classes[c];
    const uint64_t mallocs = counted_mallocs(source) + counted_mallocs(target);
    const bool large = size_class_of(c) == 0;
    rearm_counter(target, mallocs, large ? 0 : draw_countdown(*t, kClasses[size_class_of(c)].bytes));
    owned_add(&target.frees, source.frees);
    owned_add(&target.refills, source.refills + 1);
  }
  owned_add(&to->large_malloc_bytes, from->large_malloc_bytes);
  owned_add(&to->large_free_bytes, from->large_free_bytes);
  owned_add(&to->tiny_mallocs, from->tiny_mallocs);
  owned_add(&to->tiny_frees, from->tiny_frees);
  t->private_block = nullptr;
  t->next_sample = draw_next_sample(*t);
  use_segment_block(*t, to);
}

ThreadCounts thread_counts() { return {g_live_count.load(), g_started_count.load()}; }

uint64_t thread_cache_inuse_bytes() { return g_live_count.load() * (sizeof(Thread) + thread_region_bytes()); }

void thread_visit_blocks(void (*visit)(const liballoc_abi_thread* block, void* context), void* context) {
  LockHolder hold(g_registry_lock);
  g_segment.lock_for_fork();  // what else keeps the table of blocks as it is
  visit_blocks_locked(visit, context);
  g_segment.unlock_after_fork();
}

void thread_sum_live_locked(LiveTotals* out) {
  *out = {};
  visit_blocks_locked(
      [](const liballoc_abi_thread* block, void* context) {
        auto* totals = static_cast<LiveTotals*>(context);
        for (unsigned c = 0; c < kCacheClasses; c++) {
          totals->objects[c] += counted_mallocs(block->classes[c]) - load_relaxed(&block->classes[c].frees);
        }
        totals->large_bytes += load_relaxed(&block->large_malloc_bytes) - load_relaxed(&block->large_free_bytes);
        totals->tiny_objects += load_relaxed(&block->tiny_mallocs) - load_relaxed(&block->tiny_frees);
      },
      out);
}

bool thread_enter_fork() {
  if (thread_is_inside()) return false;
  Thread* t = t_thread != nullptr || t_exited ? t_thread : thread_attach();
  if (t == nullptr) return true;
  t->in_slow = true;
  close_hits();
  return true;
}

void thread_leave_fork() {
  Thread* t = t_thread;
  if (t == nullptr) return;
  allow_hits(*t);
  t->in_slow = false;
}

void thread_lock_for_fork() { g_registry_lock.lock(); }
void thread_unlock_after_fork(bool in_child) { in_child ? g_registry_lock.reset_after_fork() : g_registry_lock.unlock(); }

void thread_forget_others(const LiveTotals& inherited) {
  Thread* self = t_thread;
  Thread* t = g_live;
  g_live = nullptr;
  while (t != nullptr) {
    Thread* next = t->next;
    if (t != self) {
      thread_cache_forget(t->heap);
      drop_labels(*t);
      t->block = nullptr;
      t->in_slow = false;
      to_pool(t);
    }
    t = next;
  }
  for (Thread* p = g_pool; p != nullptr; p = p->next) {
    p->segment_block = nullptr;
    p->walks.forget_all();  // another segment numbers stacks anew, and may have no block for this one
    if (p->private_block != nullptr) *p->private_block = {};
    p->private_block = nullptr;
  }
  g_live_count.set(0);
  g_started_count.set(0);
  if (self == nullptr) return;
  link_live(self);
  g_live_count.set(1);
  g_started_count.set(1);
  self->tid = sys::current_tid();
  self->segment_block = nullptr;
  self->walks.forget_all();
  forget_label_set(*self);
  const bool had_bins = thread_region_mend(self->heap);
  if (had_bins) thread_cache_restore_after_fork(self->heap);
  else LIBALLOC_CHECK(thread_region_init(self->heap, g_heap.sys().mcache));  // what the bins held is lost
  use_private_block(*self);
  *self->block = {};
  for (unsigned c = 0; c < kCacheClasses; c++) {
    const bool large = size_class_of(c) == 0;
    rearm_counter(self->block->classes[c], inherited.objects[c],
                  large ? 0 : draw_countdown(*self, kClasses[size_class_of(c)].bytes));
    self->block->classes[c].refills = 1;
  }
  self->block->large_malloc_bytes = inherited.large_bytes;
  self->block->tiny_mallocs = inherited.tiny_objects;
  self->heap.cache->state = &self->heap;
}

}  // namespace liballoc
