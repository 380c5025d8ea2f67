// segment.cc - see segment.h.
#include "liballoc/telemetry/segment.h"

#include <cstring>

#include "liballoc/base/atomic.h"
#include "liballoc/base/bits.h"
#include "liballoc/base/syscall.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/telemetry/word_copy.h"

namespace liballoc {

// ---- thread blocks ------------------------------------------------------------------------------

liballoc_abi_thread* Segment::add_thread_block() {
  if (!active()) return nullptr;
  LockHolder hold(telemetry_lock_);
  if (!threads_.reserve(1)) {
    threads_.count_dropped();
    return nullptr;
  }
  const uint32_t number = threads_.take();
  threads_.publish(number);
  return threads_.record<liballoc_abi_thread>(number);
}

void Segment::enter_thread_block(liballoc_abi_thread* block, uint32_t tid, uint64_t now_ns) {
  if (!active() || block == nullptr) return;
  store_relaxed(&block->started_ns, now_ns);
  owned_add<uint64_t>(&block->threads, 1);
  store_release<uint64_t>(&block->tid, tid);  // a reader that sees the tid sees since when
}

void Segment::leave_thread_block(liballoc_abi_thread* block) {
  if (!active() || block == nullptr) return;
  store_relaxed<uint64_t>(&block->cached_bytes, 0);
  store_relaxed<uint64_t>(&block->tid, 0);
}

bool Segment::view_thread_block(const liballoc_abi_thread* block, void* at, size_t bytes) const {
  const auto offset = static_cast<uint64_t>(reinterpret_cast<const std::byte*>(block) - file_.base());
  return file_.view(align_down(offset, system_page_bytes()), bytes, at);
}

// ---- spans --------------------------------------------------------------------------------------

uint32_t Segment::add_span() {
  if (!active()) return 0;
  LockHolder hold(telemetry_lock_);
  const uint32_t number = spans_.acquire();
  return number == SlotTable::kNone ? 0 : number + 1;
}

void Segment::write_span(uint32_t record, const liballoc_abi_span& value) {
  if (!active() || record == 0) return;
  store_sequenced(spans_.record<liballoc_abi_span>(record - 1), value);
}

void Segment::set_span_allocated(uint32_t record, uint32_t allocated) {
  if (!active() || record == 0) return;
  store_relaxed(&spans_.record<liballoc_abi_span>(record - 1)->allocated, allocated);
}

void Segment::remove_span(uint32_t record) {
  if (!active() || record == 0) return;
  store_sequenced(spans_.record<liballoc_abi_span>(record - 1), liballoc_abi_span{});
  LockHolder hold(telemetry_lock_);
  spans_.give_back(record - 1);
}

// ---- profile ------------------------------------------------------------------------------------

void Segment::note_modules(const uintptr_t* pcs, uint32_t depth, uint64_t now_ns) {
  if (find_module_ == nullptr) return;
  constexpr uint32_t kRemembered = 8;  // frames of one stack alternate between few modules
  struct Range {
    uint64_t start, end;
  } ranges[kRemembered] = {};
  uint32_t next = 0;
  for (uint32_t i = 0; i < depth; i++) {
    const uint64_t pc =
        pcs[i] - 1;  // the call, not what follows it: that may be another module's first byte
    bool covered = false;
    for (const Range& range : ranges) covered |= pc >= range.start && pc < range.end;
    if (covered) continue;
    liballoc_abi_module found{};
    if (!find_module_(pc, &found)) continue;
    ranges[next++ % kRemembered] = {found.start, found.end};
    LockHolder hold(telemetry_lock_);
    modules_.note(found, identity_->executable, now_ns);
  }
}

uint32_t Segment::intern_stack(const uintptr_t* pcs, uint32_t depth, bool truncated, uint64_t hash,
                               uint64_t now_ns) {
  if (!active()) return 0;
  {
    LockHolder hold(telemetry_lock_);
    if (const uint32_t known = stacks_.find(pcs, depth, truncated, hash); known != 0) return known;
  }
  // Without the lock, because the finder asks the loader. The modules come first, so that a reader
  // who sees the stack finds its modules.
  note_modules(pcs, depth, now_ns);
  LockHolder hold(telemetry_lock_);
  if (const uint32_t known = stacks_.find(pcs, depth, truncated, hash); known != 0) return known;
  return stacks_.add(pcs, depth, truncated, hash);
}

uint32_t Segment::intern_labels(const liballoc_abi_label* labels, uint32_t count) {
  if (!active() || count == 0) return 0;
  LockHolder hold(telemetry_lock_);
  return labels_.intern(labels, count);
}

// Each a word of its own beside the sequence: a reader sees a recent value of each, and the right ones at rest.
void Segment::store_sample_counts_locked() {
  store_relaxed(&memstats_->samples_taken, samples_taken_);
  store_relaxed(&memstats_->samples_live, samples_live_);
}

void Segment::emit_sample_locked(uint32_t kind, uint32_t tid, uint64_t now_ns, const liballoc_abi_sample& sample, uint64_t e) {
  emit_locked(kind, tid, now_ns, sample.address, sample.requested_bytes, sample.allocated_bytes,
              sample.stack | uint64_t{sample.bucket} << 32, e);
}

uint32_t Segment::find_bucket(const liballoc_abi_sample& sample, uint32_t cache_class, uint32_t lane) {
  const BucketTable::Key key = {sample.stack, cache_class, sample.allocated_bytes, sample.period, sample.label_set};
  if (const uint32_t known = buckets_.find(key, lane)) return known;
  LockHolder hold(telemetry_lock_);
  return buckets_.add(key, lane);
}

uint32_t Segment::take_record(SampleLane& lane) {
  if (lane.spare == 0) {
    LockHolder hold(telemetry_lock_);
    const uint32_t first = samples_.acquire();
    if (first == SlotTable::kNone) return first;
    uint32_t more[SampleLane::kBatch - 1], n = 0;
    while (n < SampleLane::kBatch - 1 && (more[n] = samples_.try_acquire()) != SlotTable::kNone) n++;
    while (n != 0) lane.push(more[--n]);
    return first;
  }
  return lane.pop();
}

void Segment::give_record(SampleLane& lane, uint32_t number) {
  if (lane.spare == SampleLane::kSpare) {
    LockHolder hold(telemetry_lock_);
    while (lane.spare > SampleLane::kBatch) samples_.give_back(lane.pop());
  }
  lane.push(number);
}

// The ring's lock before the stores: an acquire waits for all stores before it, and the lines that these two write are cold. After
// what may grow a table: with that lock held nothing does but the ring.
uint32_t Segment::add_sample(liballoc_abi_sample* sample, uint32_t cache_class, bool truncated, uint32_t lane) {
  if (!active()) return 0;
  sample->bucket = sample->address == 0 ? 0 : find_bucket(*sample, cache_class, lane);
  if (sample->bucket == 0) {
    LockHolder hold(telemetry_lock_);
    samples_.count_dropped();
    return 0;
  }
  const uint32_t number = take_record(lanes_[lane]);
  if (number == SlotTable::kNone) return 0;
  LockHolder hold_ring(ring_lock_);
  store_sequenced(samples_.record<liballoc_abi_sample>(number), *sample);
  buckets_.count_alloc(sample->bucket, sample->requested_bytes);
  samples_taken_++;
  samples_live_++;
  if (truncated) store_relaxed(&memstats_->samples_truncated, ++samples_truncated_);
  store_sample_counts_locked();
  emit_sample_locked(LIBALLOC_EVENT_SAMPLE, sample->tid, sample->time_ns, *sample, sample->period);
  return number + 1;
}

bool Segment::remove_sample(uint32_t record, uint32_t tid, uint64_t now_ns, liballoc_abi_sample* out, uint32_t lane) {
  if (!active() || record == 0 || !samples_.valid(record - 1)) return false;
  auto* const live = samples_.record<liballoc_abi_sample>(record - 1);
  liballoc_abi_sample was;
  {
    LockHolder hold_ring(ring_lock_);
    if (live->address == 0) return false;
    was = *live;
    {
      SequenceWrite write(&live->sequence);
      store_relaxed<uint64_t>(&live->address, 0);  // the rest means nothing without
    }
    buckets_.count_free(was.bucket, was.requested_bytes);
    samples_live_--;
    store_sample_counts_locked();
    emit_sample_locked(LIBALLOC_EVENT_SAMPLE_FREE, tid, now_ns, was, now_ns - was.time_ns);
  }
  give_record(lanes_[lane], record - 1);
  if (out != nullptr) *out = was;
  return true;
}

const liballoc_abi_sample* Segment::sample(uint32_t record) const {
  if (!active() || record == 0 || !samples_.valid(record - 1)) return nullptr;
  LockHolder hold(ring_lock_);
  const auto* const live = samples_.record<liballoc_abi_sample>(record - 1);
  return live->address == 0 ? nullptr : live;
}

bool Segment::copy_sample(uint32_t record, liballoc_abi_sample* out) const {
  if (!active() || record == 0 || !samples_.valid(record - 1)) return false;
  LockHolder hold(ring_lock_);
  *out = *samples_.record<liballoc_abi_sample>(record - 1);
  return out->address != 0;
}

uint32_t Segment::stored_stack(uint32_t stack, uint64_t* pcs, uint32_t max) const {
  if (!active()) return 0;
  LockHolder hold(telemetry_lock_);
  return stacks_.valid(stack) ? stacks_.copy(stack, pcs, max) : 0;
}

uint64_t Segment::record_peak(uint64_t heap_inuse, uint64_t now_ns) {
  if (!active()) return 0;
  LockHolder hold(telemetry_lock_);
  peak_.record(buckets_, peak_generation_ + 1);
  peak_generation_++;
  peak_inuse_ = heap_inuse;
  peak_ns_ = now_ns;
  store_relaxed(&memstats_->peak_profile_inuse, peak_inuse_);
  store_relaxed(&memstats_->peak_profile_ns, peak_ns_);
  store_release(&memstats_->peak_generation, peak_generation_);  // who sees it sees the records
  return peak_generation_;
}

// ---- events, figures, faults --------------------------------------------------------------------

void Segment::emit(uint32_t kind, uint32_t tid, uint64_t now_ns, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e) {
  if (!active()) return;
  LockHolder hold(ring_lock_);
  emit_locked(kind, tid, now_ns, a, b, c, d, e);
}

void Segment::emit_locked(uint32_t kind, uint32_t tid, uint64_t now_ns, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                          uint64_t e) {
  if (LIBALLOC_UNLIKELY(ring_.at_end())) ring_.turn(load_relaxed(&memstats_->heap_inuse), now_ns);
  ring_.write(kind, tid, now_ns, a, b, c, d, e);
}

void Segment::publish_memstats(const liballoc_abi_memstats& values) {
  if (!active()) return;
  liballoc_abi_memstats copy = values;
  LockHolder hold(telemetry_lock_);
  copy.segment_bytes = space_.backed_bytes();
  copy.buck_hash_sys += private_bytes_locked();
  copy.peak_generation = peak_generation_;
  copy.peak_profile_inuse = peak_inuse_;
  copy.peak_profile_ns = peak_ns_;
  copy.tiny_allocs = 0;
  for_each_thread_block(
      [](const liballoc_abi_thread* block, void* sum) { *static_cast<uint64_t*>(sum) += load_relaxed(&block->tiny_mallocs); },
      &copy.tiny_allocs);
  // The sample counts and peak_* are not this writer's: they keep changing under these two locks.
  LockHolder hold_ring(ring_lock_);
  copy.samples_taken = samples_taken_;
  copy.samples_live = samples_live_;
  copy.samples_truncated = samples_truncated_;
  store_sequenced(memstats_, copy);
}

void Segment::record_fault(const liballoc_abi_fault& fault) {
  if (active()) faults_.record(fault);
}

uint64_t Segment::backed_bytes() const { return active() ? space_.backed_bytes() : 0; }

uint64_t Segment::private_bytes() const {
  if (!active()) return 0;
  LockHolder hold(telemetry_lock_);
  return private_bytes_locked();
}

uint64_t Segment::private_bytes_locked() const {
  return spans_.private_bytes() + samples_.private_bytes() +
         stacks_.private_bytes() + labels_.private_bytes() + buckets_.private_bytes();
}

void Segment::for_each_thread_block(void (*visit)(const liballoc_abi_thread*, void*),
                                    void* context) const {
  if (!active()) return;
  for (uint32_t n = 0; n < threads_.used(); n++)
    visit(threads_.record<liballoc_abi_thread>(n), context);
}

}  // namespace liballoc
