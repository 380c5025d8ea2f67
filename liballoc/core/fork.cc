// fork.cc - see fork.h.
//
// prepare: takes every lock in rank order, so that no other thread is in the middle of a change;
// keeps the forking thread's bins and the live totals. What the thread asks for until then, in a
// signal handler or in another library's fork handler, is served as inside a slow path, without a
// lock. parent: gives the locks back. child: see fork_become_child(); whoever comes first calls it,
// the handler or, when another library's handler allocates before ours runs or fork was a raw
// system call, a slow path.
#include "liballoc/core/fork.h"

#include <pthread.h>

#include <atomic>

#include "liballoc/base/spin_lock.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/freed_samples.h"
#include "liballoc/core/labels.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/scavenge_thread.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/specials.h"
#include "liballoc/meta/persistent_alloc.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/profile/libgcc_walk.h"

namespace liballoc {

namespace {

constinit SpinLock g_fork_lock{LockRank::kFork};  // one fork at a time; guards the rest
constinit uint32_t g_parent_pid = 0;              // set by prepare
constinit LiveTotals g_inherited = {};               // set by prepare
// Between prepare and parent or child, of the thread that forks: another may fork by a raw system call meanwhile.
constinit thread_local bool t_prepared LIBALLOC_TLS_MODEL = false;
// Forks of this thread that are under way without preparation of their own: from signal handlers.
constinit thread_local uint32_t t_unprepared LIBALLOC_TLS_MODEL = 0;
constinit std::atomic<uint64_t*> g_mark{nullptr};  // in a page that the kernel wipes in a child: 0 there; set once at start

void unlock_all(bool in_child) {
  if (in_child) {
    reset_lock_ranks_after_fork();
    g_segment.forget_after_fork();
  } else {
    g_segment.unlock_after_fork();
  }
  persistent_unlock_after_fork(in_child);
  specials_unlock_after_fork(in_child);
  sampling_unlock_after_fork(in_child);
  g_heap.unlock_after_fork(in_child);
  thread_unlock_after_fork(in_child);
  libgcc_resume_after_fork(in_child);
  in_child ? g_fork_lock.reset_after_fork() : g_fork_lock.unlock();
}

void prepare() {
  // From a signal handler that has interrupted a slow path, or a fork: the locks may be this thread's.
  if (!thread_enter_fork()) {
    t_unprepared++;
    return;
  }
  g_fork_lock.lock();
  libgcc_pause_for_fork();  // before the locks: who is walking may still need them
  thread_lock_for_fork();
  g_heap.lock_for_fork();
  sampling_lock_for_fork();
  specials_lock_for_fork();
  persistent_lock_for_fork();
  g_segment.lock_for_fork();
  if (t_thread != nullptr) thread_cache_save_for_fork(t_thread->heap);
  thread_sum_live_locked(&g_inherited);
  g_parent_pid = sys::current_pid();
  t_prepared = true;
}

void in_parent() {
  if (t_unprepared != 0) {
    t_unprepared--;
    return;
  }
  if (!t_prepared) return;  // the child of a handler that forked in the middle of a fork comes back to it: it has no locks
  t_prepared = false;
  if (t_thread != nullptr) t_thread->heap.saved = false;
  unlock_all(false);
  thread_leave_fork();
}

void in_child() {
  t_unprepared = 0;
  if (t_prepared) fork_become_child();  // else a slow path was here before
}

}  // namespace

SpinLock& fork_lock() { return g_fork_lock; }

void fork_install() {
  pthread_atfork(prepare, in_parent, in_child);
  void* page = sys_alloc(system_page_bytes());
  if (page == nullptr || !os_wipe_on_fork(page, system_page_bytes())) return;
  sys_populate(page, system_page_bytes());  // a third of what a fault costs
  *static_cast<uint64_t*>(page) = 1;
  g_mark.store(static_cast<uint64_t*>(page), std::memory_order_release);  // pairs with fork_in_new_process()
}

bool fork_in_new_process() {
  const uint64_t* mark = g_mark.load(std::memory_order_acquire);
  return mark != nullptr && load_relaxed(mark) == 0;
}

void fork_become_child() {
  const ThreadChanging changing;  // a signal handler would find the cache wiped and begin anew
  const bool wiped = t_thread != nullptr && t_thread->heap.cache->state == nullptr;
  if (!t_prepared && !wiped && !fork_in_new_process()) return;  // one that came before this was said has done it
  // Without prepare nothing is known of the parent's counts, and locks may be held by threads that do not exist here; a child
  // that a threaded program makes that way may only exec, by POSIX.
  if (!t_prepared) {
    g_inherited = {};
    g_parent_pid = static_cast<uint32_t>(sys::raw_syscall(SYS_getppid));
    if (t_thread != nullptr) {
      t_thread->heap.saved = false;
      if (t_thread->in_slow) drop_labels(*t_thread);  // they may have been changing
    }
  }
  t_prepared = false;
  if (uint64_t* mark = g_mark.load(std::memory_order_relaxed)) store_relaxed(mark, uint64_t{1});
  unlock_all(true);
  if (t_thread != nullptr) t_thread->in_slow = false;
  set_sample_period(0);
  forget_freed_samples();
  thread_forget_others(g_inherited);
  runtime_want_segment();
  scavenge_thread_after_fork();
}

uint32_t fork_parent_pid() { return g_parent_pid; }

}  // namespace liballoc
