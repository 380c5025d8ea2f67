// thread.h - what the allocator keeps per thread, the registry of all of them, and how a thread comes and goes.
// Locks: the registry's lock (rank kThreadRegistry) guards the list and the pool; everything else in a Thread is touched by its
// thread alone, except at fork.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/compiler.h"
#include "liballoc/heap/thread_cache.h"
#include "liballoc/profile/fast_rand.h"
#include "liballoc/profile/walk_memo.h"

namespace liballoc {

struct ThreadLabels;

struct Thread {
  ThreadState heap;
  liballoc_abi_thread* block;          // where this thread counts: one of the next two, or a view of the first
  liballoc_abi_thread* segment_block;  // in the segment, once there was one; the record's for good
  liballoc_abi_thread* private_block;  // in the region, until there is a segment
  bool counted_beside;                 // the block lies beside the bins, where hits find it; false: there are no hits
  FastRand random;
  int64_t next_sample;  // bytes to go for large objects; small ones count down per class
  uint32_t tid;
  uint32_t lane;        // of base/lanes.h; the record's for good
  bool in_slow;         // inside a slow path: a nested call comes from a signal handler
  uint64_t slow_ns;     // time of the current slow path, read once by the first who asks; 0 = not yet
  bool figures_changed; // something else than the page heap that memstats show changed
  bool peak_due;        // the heap crossed its trigger: its profile is to be kept
  bool pages_freed;     // idle memory may be due for the OS
  uint8_t slow_paths;   // counts, and wraps: memory grows idle without a free of pages too
  uint64_t shrunk_ns;   // when its cache last gave back what it did not need
  Thread* next;         // registry or pool
  Thread* prev;
  ThreadLabels* labels; // null until it sets one; the record's for good
  WalkMemo walks;       // of samples, by their number in the segment
};

// Never written: every bin is empty and full. Among the constants, so that a first allocation need not touch a page for it.
extern constinit const ThreadCache g_empty_cache;
inline constexpr ThreadCache* kEmptyCache = const_cast<ThreadCache*>(&g_empty_cache);
// Never null: at least the empty cache, where every path is the slow one.
extern constinit thread_local ThreadCache* t_cache LIBALLOC_TLS_MODEL;
extern constinit thread_local Thread* t_thread LIBALLOC_TLS_MODEL;

// How many of these live: the thread takes locks, or changes its record, without a record that says so. What a signal handler asks for
// meanwhile is served as inside a slow path.
extern constinit thread_local uint32_t t_changing LIBALLOC_TLS_MODEL;
class ThreadChanging {
 public:
  ThreadChanging() {
    t_changing = t_changing + 1;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // said before a lock is taken
  }
  ~ThreadChanging() {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the record says it now, or no lock is held
    t_changing = t_changing - 1;
  }
  ThreadChanging(const ThreadChanging&) = delete;
  ThreadChanging& operator=(const ThreadChanging&) = delete;
};

// While it lives, inside a slow path, no call of the thread is a hit: its bins change, and the malloc or free of a signal handler must
// not meet them halfway. Such a call takes a slow path, which the handler's thread is in already: see emergency.h. Around the changes
// alone, so that handlers are mostly served from bins: what the emergency reserve gives is never used again.
class HitsClosed {
 public:
  HitsClosed() : open_(t_cache) {
    t_cache = kEmptyCache;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // closed before a bin changes
  }
  ~HitsClosed() {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // whole again before a hit may come
    t_cache = open_;
  }
  HitsClosed(const HitsClosed&) = delete;
  HitsClosed& operator=(const HitsClosed&) = delete;

 private:
  ThreadCache* const open_;
};

// The heap, ready for threads. False when memory ran out.
[[nodiscard]] bool thread_start_heap();
// The calling thread's record, made on first use, inside a slow path already. Null when memory ran out or the heap could not start.
[[nodiscard]] Thread* thread_attach();
// Gives everything the calling thread holds back and ends its record. Runs at thread exit.
void thread_detach();
// Whether the calling thread may hold a lock of ours: its signal handler asks.
bool thread_is_inside();
// Gives a part of what the calling thread keeps and did not need for a second back. Inside a slow path.
void thread_shrink(uint64_t now_ns);
// What the calling thread keeps, and what waits between threads, goes back to its spans. Inside a slow path.
void thread_give_all_back();
// From now on every malloc and free takes its slow path, in this thread and in those that come. While there is one thread.
void thread_stop_hits();
// The calling thread gets no record for longer than a call.
void thread_serve_singly();
// Whether the calling thread's exit handler has run: a record made since is for one call.
bool thread_exited();

struct ThreadCounts {
  uint64_t live, started;
};
ThreadCounts thread_counts();
uint64_t thread_cache_inuse_bytes();  // of the threads there are; records of ended ones wait for the next

// Ends the process with a report where the calling thread has freed an object twice and still holds its slot. Not inside a slow path.
void thread_report_double_free();

// Moves the thread's counters into the segment when there is one and they are not there yet. By the thread itself, inside a slow
// path.
void thread_join_segment(Thread* thread);

// Visits every counter block there is: the segment's, whether a thread has it now or not, and those outside of it. Owners go on
// counting meanwhile. The visitor must not call back.
void thread_visit_blocks(void (*visit)(const liballoc_abi_thread* block, void* context), void* context);

// Live objects per cache class over all threads: what a child of fork inherits. In the parent, registry locked.
struct LiveTotals {
  uint64_t objects[kCacheClasses];
  uint64_t large_bytes;
  uint64_t tiny_objects;
};
void thread_sum_live_locked(LiveTotals* out);

// Around fork(), when all locks are taken: what the calling thread asks for meanwhile is served as inside a slow path. Enter gives the
// thread a record if it has none. False: it is in a slow path.
[[nodiscard]] bool thread_enter_fork();
void thread_leave_fork();
void thread_lock_for_fork();
void thread_unlock_after_fork(bool in_child);
// In the child: the calling thread goes on with what it had, every other one is forgotten. Their cached slots are lost.
void thread_forget_others(const LiveTotals& inherited);

}  // namespace liballoc
