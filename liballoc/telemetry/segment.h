// segment.h - the process's telemetry segment: what the agent reads. One constinit instance belongs
// to core/. Every method is a no-op that returns 0 or null while there is no segment, and a failure
// to store is counted in the segment, never reported to the program. Nothing here waits for a
// reader: they share no lock with us. Locks: telemetry_lock_ (rank telemetry) guards the tables, but
// ring_lock_ (rank telemetry ring, a leaf) the ring, live samples, and the counts of samples and
// buckets. Thread blocks are written by their thread,
// span records under the lock of whatever holds the span. Never calls the loader or the unwinder
// with a lock held.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/bits.h"
#include "liballoc/base/compiler.h"
#include "liballoc/base/spin_lock.h"
#include "liballoc/telemetry/bucket_table.h"
#include "liballoc/telemetry/fault_table.h"
#include "liballoc/telemetry/label_table.h"
#include "liballoc/telemetry/module_table.h"
#include "liballoc/telemetry/peak_table.h"
#include "liballoc/telemetry/ring.h"
#include "liballoc/telemetry/sample_lane.h"
#include "liballoc/telemetry/segment_file.h"
#include "liballoc/telemetry/segment_space.h"
#include "liballoc/telemetry/slot_table.h"
#include "liballoc/telemetry/stack_table.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

// Fills in the executable segment that `pc` lies in; path_bytes 0 means the main program. Called
// without a lock.
using FindModule = bool (*)(uintptr_t pc, liballoc_abi_module* out);

struct SegmentConfig {
  const char* dir = nullptr;      // absolute; null or empty = no telemetry
  const char* service = nullptr;  // null or empty = base name of the executable
  uint64_t sample_period = 0;     // shown until the first publish_memstats()
  uint64_t forked_from = 0;
  FindModule find_module = nullptr;
  const char* const* arguments = nullptr;  // the command line; null: /proc says it
  size_t argument_count = 0;
  char* scratch = nullptr;  // kIdentityScratchBytes; null: memory of its own
};

class Segment {
 public:
  constexpr Segment() = default;
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // ---- life -------------------------------------------------------------------------------------
  // `classes` has LIBALLOC_ABI_SIZE_CLASSES entries. To be called when no other thread uses the
  // segment.
  SegmentStatus create(const SegmentConfig& config, const liballoc_abi_size_class* classes);
  bool active() const {
    return active_.load(std::memory_order_acquire);
  }  // pairs with the release in create()
  // End of the process: notes how it ended (enum liballoc_abi_exit) and removes the file unless it
  // is to be kept. The mapping stays, so threads that still run can go on storing.
  void retire(uint64_t exit_state, bool keep_file);
  void lock_for_fork();
  void unlock_after_fork();
  // Child of a fork, in place of unlock_after_fork(): the mapping is absent, create() can be called
  // again.
  void forget_after_fork();

  // ---- thread blocks ----------------------------------------------------------------------------
  // A block that nobody has had, for one thread after the other; null when there is no room.
  [[nodiscard]] liballoc_abi_thread* add_thread_block();
  // The block is that thread's from now on, until it leaves it. By the thread itself.
  void enter_thread_block(liballoc_abi_thread* block, uint32_t tid, uint64_t now_ns);
  void leave_thread_block(liballoc_abi_thread* block);
  // A second view of the pages of the block, over whatever is mapped `at`, not inherited by the child of a fork. False when the
  // system refuses: then what was there may be gone.
  [[nodiscard]] bool view_thread_block(const liballoc_abi_thread* block, void* at, size_t bytes) const;
  // Every block that was ever used, with its counts. Between lock_for_fork() and its unlock: takes
  // no lock itself.
  void for_each_thread_block(void (*visit)(const liballoc_abi_thread* block, void* context),
                             void* context) const;

  // ---- spans: `record` is a record number + 1; 0 is ignored -------------------------------------
  uint32_t add_span();
  // The writer holds the lock of whatever the span is in; value.sequence is ignored. No lock is
  // taken.
  void write_span(uint32_t record, const liballoc_abi_span& value);
  void set_span_allocated(uint32_t record, uint32_t allocated);
  // Where the record lies, for who writes it field by field: between SequenceWrite's begin and end,
  // or `allocated` alone. Null when there is none.
  liballoc_abi_span* span_record(uint32_t record) const {
    return active() && record != 0 ? spans_.record<liballoc_abi_span>(record - 1) : nullptr;
  }
  void remove_span(uint32_t record);

  // ---- profile: numbers are record numbers + 1; 0 = could not be stored -------------------------
  uint32_t intern_stack(const uintptr_t* pcs, uint32_t depth, bool truncated, uint64_t hash,
                        uint64_t now_ns);
  // The frames of a stack that was interned, leaf first, at most `max`; returns how many.
  uint32_t stored_stack(uint32_t stack, uint64_t* pcs, uint32_t max) const;
  // The number of a set of labels: see LabelTable::intern().
  uint32_t intern_labels(const liballoc_abi_label* labels, uint32_t count);
  // Stores the live sample, counts it in the bucket of its stack, class, size, period and labels (sample->bucket is filled in) and
  // tells the ring; or does none of it, and counts what was dropped. sample->sequence is ignored. `truncated`: its stack was cut at
  // the depth limit. `lane`: of base/lanes.h; here and below, calls that name the same lane are kept apart by the caller, and from fork.
  uint32_t add_sample(liballoc_abi_sample* sample, uint32_t cache_class, bool truncated = false, uint32_t lane = 0);
  // Ends a live sample, counts the free in its bucket and tells the ring who freed it and when; *out (may be null) is what it was.
  // False when it is not live. By who was told the record, and no other.
  bool remove_sample(uint32_t record, uint32_t tid, uint64_t now_ns, liballoc_abi_sample* out, uint32_t lane = 0);
  // Null when it is not live. Stable until it is removed.
  const liballoc_abi_sample* sample(uint32_t record) const;
  // False when it is not live, or record is 0.
  bool copy_sample(uint32_t record, liballoc_abi_sample* out) const;

  // Keeps what is in use now as the peak profile. The number of peaks so far, 0 without a segment.
  uint64_t record_peak(uint64_t heap_inuse, uint64_t now_ns);

  // ---- events, figures, faults ------------------------------------------------------------------
  void emit(uint32_t kind, uint32_t tid, uint64_t now_ns, uint64_t a = 0, uint64_t b = 0,
            uint64_t c = 0, uint64_t d = 0, uint64_t e = 0);
  // The same for who knows that the segment is active. Calls nothing in the ordinary case, so that
  // its caller saves no registers.
  LIBALLOC_INLINE void emit_active(uint32_t kind, uint32_t tid, uint64_t now_ns, uint64_t a,
                                   uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    if (LIBALLOC_UNLIKELY(!ring_lock_.try_lock())) return emit(kind, tid, now_ns, a, b, c, d, e);
    if (LIBALLOC_UNLIKELY(ring_.at_end())) {
      ring_lock_.unlock();
      return emit(kind, tid, now_ns, a, b, c, d, e);
    }
    ring_.write(kind, tid, now_ns, a, b, c, d, e);
    ring_lock_.unlock();
  }
  // Callers of these two hold one lock of theirs, always the same: it keeps the writers of the record
  // apart. sequence, segment_bytes, the sample counts and peak_* are filled in here; private_bytes() is added
  // to buck_hash_sys.
  void publish_memstats(const liballoc_abi_memstats& values);
  // The record itself, for who changes some of its fields: between SequenceWrite's begin and end.
  // Null when there is no segment.
  liballoc_abi_memstats* memstats() const { return active() ? memstats_ : nullptr; }
  // Takes no lock: a fault may be found with any lock held. A code of 0 is stored as 1, since 0
  // means unused.
  void record_fault(const liballoc_abi_fault& fault);


  uint64_t backed_bytes() const;                     // of the segment
  uint64_t private_bytes() const;                    // of lookup tables beside it
  const char* path() const { return file_.path(); }  // empty when there is none

  static constexpr uint32_t kInitialThreads = 2;
  static constexpr uint32_t kInitialSpans = 64;
  static constexpr uint32_t kInitialSamples = 32;

 private:
  bool open_sections(const SegmentConfig& config, const liballoc_abi_size_class* classes,
                     char* scratch);
  void write_header(const SegmentConfig& config, uint64_t start_ticks, uint64_t now_realtime_ns);
  void note_modules(const uintptr_t* pcs, uint32_t depth, uint64_t now_ns);
  void close_tables();
  uint32_t find_bucket(const liballoc_abi_sample& sample, uint32_t cache_class, uint32_t lane);
  uint32_t take_record(SampleLane& lane);
  void give_record(SampleLane& lane, uint32_t number);
  void store_sample_counts_locked();
  void emit_sample_locked(uint32_t kind, uint32_t tid, uint64_t now_ns, const liballoc_abi_sample& sample, uint64_t e);
  void emit_locked(uint32_t kind, uint32_t tid, uint64_t now_ns, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
  uint64_t private_bytes_locked() const;

  // Each sample looks at these two; the line is only read.
  std::atomic<bool> active_{false};
  liballoc_abi_memstats* memstats_ = nullptr;
  std::atomic<bool> retired_{false};
  uint32_t pid_ = 0;
  SegmentFile file_;
  SegmentSpace space_;
  RecordTable threads_{LIBALLOC_SECTION_THREADS, sizeof(liballoc_abi_thread), kInitialThreads};
  SlotTable spans_{LIBALLOC_SECTION_SPANS, sizeof(liballoc_abi_span), kInitialSpans};
  SlotTable samples_{LIBALLOC_SECTION_SAMPLES, sizeof(liballoc_abi_sample), kInitialSamples};
  StackTable stacks_;
  LabelTable labels_;
  BucketTable buckets_;
  PeakTable peak_;
  ModuleTable modules_;
  FaultTable faults_;
  uint64_t peak_generation_ = 0, peak_inuse_ = 0, peak_ns_ = 0;  // telemetry_lock_
  const liballoc_abi_identity* identity_ = nullptr;
  FindModule find_module_ = nullptr;
  SampleLane lanes_[kLanes];
  // Away from what is only read: whoever asks whether the segment is active need not fetch a line that others write.
  alignas(kCacheLineBytes) mutable SpinLock telemetry_lock_{LockRank::kTelemetry};
  // The lock and what it guards: the line that every event of every thread writes, and nothing else on it. What is seldom used,
  // of the ring too, is on the next.
  alignas(kCacheLineBytes) mutable SpinLock ring_lock_{LockRank::kTelemetryRing};
  uint64_t samples_taken_ = 0, samples_live_ = 0;  // ring_lock_
  Ring ring_;
  static_assert(align_up(sizeof(SpinLock), alignof(Ring)) + 2 * sizeof(uint64_t) + Ring::kEventBytes <= kCacheLineBytes);
  uint64_t samples_truncated_ = 0;  // ring_lock_
};

}  // namespace liballoc
