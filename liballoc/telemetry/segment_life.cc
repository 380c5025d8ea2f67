// segment_life.cc - the beginning and the end of a segment, and what a fork does to it: see
// segment.h.
#include <sys/auxv.h>

#include <cstring>

#include "liballoc/base/atomic.h"
#include "liballoc/base/bits.h"
#include "liballoc/base/check.h"
#include "liballoc/base/syscall.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/telemetry/file_calls.h"
#include "liballoc/telemetry/identity.h"
#include "liballoc/telemetry/janitor.h"
#include "liballoc/telemetry/segment.h"

namespace liballoc {

namespace {

constexpr uint64_t kHeapPageBytes = 8192;
constexpr uint64_t kArenaBytes = uint64_t{64} << 20;

constexpr uint64_t section_bytes(uint64_t stride, uint64_t records) {
  return align_up(stride * records, kSectionAlign);
}

// Every section's first extent but the ring's, which comes last.
constexpr uint64_t kTablesBytes =
    kFirstSectionOffset + section_bytes(sizeof(liballoc_abi_identity), 1) +
    section_bytes(sizeof(liballoc_abi_size_class), LIBALLOC_ABI_SIZE_CLASSES) +
    section_bytes(sizeof(liballoc_abi_memstats), 1) +
    section_bytes(sizeof(liballoc_abi_thread), Segment::kInitialThreads) +
    section_bytes(sizeof(liballoc_abi_span), Segment::kInitialSpans) +
    section_bytes(sizeof(liballoc_abi_stack), StackTable::kInitialStacks) +
    section_bytes(sizeof(liballoc_abi_frame), StackTable::kInitialFrames) +
    section_bytes(sizeof(liballoc_abi_bucket), BucketTable::kInitial) +
    section_bytes(sizeof(liballoc_abi_sample), Segment::kInitialSamples) +
    section_bytes(sizeof(liballoc_abi_peak), PeakTable::kInitial) +
    section_bytes(sizeof(liballoc_abi_module), ModuleTable::kInitial) +
    section_bytes(sizeof(liballoc_abi_fault), FaultTable::kCapacity);
static_assert(kTablesBytes <= 40 * 1024);

// What is populated by one call: the tables, and what the ring needs at first.
uint64_t base_bytes(bool can_grow) {
  return align_up(kTablesBytes, system_page_bytes()) +
         align_up(Ring::first_bytes(can_grow), system_page_bytes());
}

}  // namespace

void Segment::write_header(const SegmentConfig& config, uint64_t start_ticks, uint64_t now_realtime_ns) {
  liballoc_abi_header* const h = space_.header();
  h->major = LIBALLOC_ABI_MAJOR;
  h->minor = LIBALLOC_ABI_MINOR;
  h->header_bytes = sizeof(liballoc_abi_header);
  h->capacity_bytes = space_.capacity();
  h->valid_bytes = kFirstSectionOffset;
  h->directory_offset = static_cast<uint32_t>(kDirectoryOffset);
  h->directory_stride = sizeof(liballoc_abi_section);
  h->pid = pid_;
  h->uid = sys::real_uid();
  h->start_ticks = start_ticks;
  h->created_realtime_ns = now_realtime_ns;
  h->created_monotonic_ns = monotonic_ns();
  h->start_realtime_ns = start_realtime_ns(start_ticks, now_realtime_ns);
  h->page_bytes = kHeapPageBytes;
  h->pid_namespace = own_pid_namespace();
  h->arena_bytes = kArenaBytes;
  h->forked_from = config.forked_from;
}

bool Segment::open_sections(const SegmentConfig& config, const liballoc_abi_size_class* classes,
                            char* scratch) {
  const liballoc_abi_section* const identity =
      space_.add_extent(LIBALLOC_SECTION_IDENTITY, 0, sizeof(liballoc_abi_identity), 1);
  const liballoc_abi_section* const size_classes = space_.add_extent(
      LIBALLOC_SECTION_SIZE_CLASSES, 0, sizeof(liballoc_abi_size_class), LIBALLOC_ABI_SIZE_CLASSES);
  const liballoc_abi_section* const memstats =
      space_.add_extent(LIBALLOC_SECTION_MEMSTATS, 0, sizeof(liballoc_abi_memstats), 1);
  if (identity == nullptr || size_classes == nullptr || memstats == nullptr) return false;
  auto* const who = reinterpret_cast<liballoc_abi_identity*>(space_.at(identity->offset));
  fill_identity(config.service, config.arguments, config.argument_count, scratch, who);
  identity_ = who;
  memcpy(space_.at(size_classes->offset), classes, sizeof(*classes) * LIBALLOC_ABI_SIZE_CLASSES);
  memstats_ = reinterpret_cast<liballoc_abi_memstats*>(space_.at(memstats->offset));
  memstats_->updated_ns = space_.header()->created_monotonic_ns;
  memstats_->sample_period = config.sample_period;
  memstats_->segment_bytes = space_.backed_bytes();
  for (const liballoc_abi_section* entry : {identity, size_classes, memstats}) {
    const_cast<liballoc_abi_section*>(entry)->count = entry->capacity;
  }
  labels_.open(&space_);
  return threads_.open(&space_) && spans_.open(&space_) && stacks_.open(&space_) &&
         buckets_.open(&space_) && peak_.open(&space_) && samples_.open(&space_) && modules_.open(&space_) &&
         faults_.open(&space_) && ring_.open(&space_);
}

SegmentStatus Segment::create(const SegmentConfig& config, const liballoc_abi_size_class* classes) {
  if (active()) return SegmentStatus::kFailed;
  if (config.dir == nullptr || config.dir[0] == '\0') return SegmentStatus::kDisabled;
  pid_ = sys::current_pid();
  const uint64_t now = realtime_ns();
  // Whoever cleans has the room for it, and then for everything.
  static_assert(kJanitorScratchBytes >= kIdentityScratchBytes);
  const bool cleans = is_janitor(now, pid_);
  const size_t own_bytes = align_up(cleans ? kJanitorScratchBytes : kIdentityScratchBytes, system_page_bytes());
  char* const own = cleans || config.scratch == nullptr ? static_cast<char*>(sys_alloc(own_bytes)) : nullptr;
  char* const scratch = own != nullptr ? own : config.scratch;
  if (scratch == nullptr) return SegmentStatus::kLimited;
  if (cleans && own != nullptr) remove_dead_segments(config.dir, now, JanitorLimits{}, own);
  const uint64_t start_ticks = own_start_ticks(scratch);
  SegmentStatus status =
      file_.create(config.dir, pid_, start_ticks, base_bytes(true), base_bytes(false));
  if (status == SegmentStatus::kOk) {
    space_.attach(file_.base(), file_.capacity(), base_bytes(file_.can_grow()), file_.can_grow());
    write_header(config, start_ticks, now);
    find_module_ = config.find_module;
    if (open_sections(config, classes, scratch)) {
      retired_.store(false, std::memory_order_relaxed);
      // The segment is complete from here on: pairs with the reader's fetch of the magic.
      store_release<uint64_t>(&space_.header()->magic, LIBALLOC_ABI_MAGIC);
      active_.store(true, std::memory_order_release);
    } else {
      close_tables();
      file_.unlink();
      file_.unmap();
      file_.forget();
      status = SegmentStatus::kFailed;
    }
  }
  if (own != nullptr) sys_free(own, own_bytes, MemState::kReady);
  return status;
}

void Segment::retire(uint64_t exit_state, bool keep_file) {
  // A vfork child that exits shares this memory, but it is not the process that the segment
  // describes.
  if (!active() || sys::current_pid() != pid_) return;
  if (retired_.exchange(true, std::memory_order_relaxed)) return;
  // No lock: the process may end with any of them held.
  liballoc_abi_header* const h = space_.header();
  store_relaxed(&h->exit_monotonic_ns, monotonic_ns());
  store_release(&h->exit_state, exit_state);  // a reader that sees the state sees the time
  if (!keep_file) file_.unlink();
}

void Segment::lock_for_fork() {
  telemetry_lock_.lock();
  ring_lock_.lock();
}

void Segment::unlock_after_fork() {
  ring_lock_.unlock();
  telemetry_lock_.unlock();
}

void Segment::close_tables() {
  samples_taken_ = samples_live_ = samples_truncated_ = 0;
  for (SampleLane& lane : lanes_) lane.spare = 0;
  peak_generation_ = peak_inuse_ = peak_ns_ = 0;
  threads_.close();
  spans_.close();
  samples_.close();
  stacks_.close();
  labels_.close();
  buckets_.close();
  peak_.close();
  modules_.close();
  ring_.close();
  faults_.close();
  space_.detach();
  memstats_ = nullptr;
  identity_ = nullptr;
  find_module_ = nullptr;
}

void Segment::forget_after_fork() {
  active_.store(false, std::memory_order_relaxed);
  telemetry_lock_.reset_after_fork();
  ring_lock_.reset_after_fork();
  close_tables();
  file_.forget();
  pid_ = 0;
}

}  // namespace liballoc
