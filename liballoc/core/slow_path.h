// slow_path.h - the bracket around everything the library does beyond a hit. Must never be entered with a lock of ours held.
#pragma once

#include "liballoc/core/fork.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/telemetry_bridge.h"
#include "liballoc/core/thread.h"
#include "liballoc/os/os.h"

namespace liballoc {

// Brackets every slow path: finds the thread's record, notices a new process, refuses re-entry, and catches up on telemetry
// at the end, when no lock is held.
class SlowPath {
 public:
  SlowPath() : thread_(t_thread) {
    if (LIBALLOC_UNLIKELY(t_changing != 0)) {
      thread_ = nullptr;
      reentered_ = true;
      return;
    }
    if (LIBALLOC_UNLIKELY(thread_ == nullptr)) {
      thread_ = thread_attach();
      if (thread_ == nullptr) return;
    } else if (LIBALLOC_UNLIKELY(thread_->heap.cache->state == nullptr)) {
      fork_become_child();
    } else if (LIBALLOC_UNLIKELY(thread_->in_slow)) {
      thread_ = nullptr;
      reentered_ = true;
      return;
    }
    thread_->slow_ns = 0;
    thread_->in_slow = true;
    if (LIBALLOC_UNLIKELY(runtime_segment_wanted())) runtime_create_segment_of_child(fork_parent_pid());
    if (LIBALLOC_UNLIKELY(thread_->block == thread_->private_block)) thread_join_segment(thread_);
  }
  ~SlowPath() {
    if (thread_ == nullptr) return;
    store_relaxed(&thread_->block->cached_bytes, thread_cache_bytes(thread_->heap));
    if (LIBALLOC_UNLIKELY(thread_->figures_changed)) {
      thread_->figures_changed = false;
      bridge_publish_memstats();
    }
    if (LIBALLOC_UNLIKELY(thread_->peak_due)) {
      thread_->peak_due = false;
      bridge_record_peak(*thread_);
    }
    constexpr uint8_t kPathsPerLook = 64;
    if (LIBALLOC_UNLIKELY(thread_->pages_freed) || LIBALLOC_UNLIKELY(++thread_->slow_paths % kPathsPerLook == 0)) {
      thread_->pages_freed = false;
      const uint64_t now = thread_->slow_ns != 0 ? thread_->slow_ns : monotonic_ns();
      thread_shrink(now);
      g_heap.tick(now);
    }
    if (LIBALLOC_UNLIKELY(thread_exited())) thread_detach();
    else thread_->in_slow = false;
  }
  SlowPath(const SlowPath&) = delete;
  SlowPath& operator=(const SlowPath&) = delete;

  Thread* thread() { return thread_; }  // null: reentered, or no memory for a record
  bool reentered() const { return reentered_; }

 private:
  Thread* thread_;
  bool reentered_ = false;
};

}  // namespace liballoc
