// snapshot.h - what the agent knows about one process at one moment: plain values, decoded and checked.
//
// A Snapshot is immutable once published (std::shared_ptr<const Snapshot>) and safe to read from any thread. It holds
// no file descriptor, no mapping and no pointer into a segment; nothing here does I/O or knows gRPC, HTTP or pprof.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/model/shared_list.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

// Identity of a process. (pid, start_ticks, pid_namespace) is unique on a machine until reboot; `key` names the segment.
struct ProcessIdentity {
  std::string key;  // segment file name, e.g. "liballoc.1234.5678": stable, unique in the segment directory
  uint32_t pid = 0;            // in the process's own PID namespace
  uint32_t uid = 0;
  uint64_t start_ticks = 0;
  uint32_t pid_namespace = 0;
  uint64_t forked_from = 0;    // parent's pid, 0 = not the child of a fork under liballoc
  int64_t start_time_unix_ns = 0;
  std::string executable;      // absolute path; all strings here are valid UTF-8
  std::vector<std::string> command_line;
  std::string service;
  std::string cgroup;
  std::string hostname;
  std::string liballoc_version;
  std::string build_id;        // lowercase hex, of the main executable; empty = unknown
  uint64_t created_monotonic_ns = 0;  // when this program's segment was made, see same_program()
};

// Whether both are of one program: an exec makes another segment of the same name, pid and start.
inline bool same_program(const ProcessIdentity& a, const ProcessIdentity& b) {
  return a.start_ticks == b.start_ticks && a.created_monotonic_ns == b.created_monotonic_ns;
}

enum class ProcessState { kRunning, kExitedClean, kKilled, kFaulted };

// One size class, or class 0 = large objects. Scan and noscan are added up.
struct SizeClassStats {
  uint32_t object_bytes = 0;   // 0 for large
  uint32_t span_pages = 0;
  uint32_t objects_per_span = 0;
  uint64_t mallocs = 0;        // cumulative objects
  uint64_t frees = 0;          // cumulative objects, <= mallocs
  uint64_t live_bytes = 0;     // allocated bytes of live objects
  uint64_t malloc_bytes = 0;   // cumulative allocated bytes
  uint64_t free_bytes = 0;
  uint64_t spans = 0;          // in use, cached ones included
  uint64_t slots = 0;          // in those spans
  uint64_t requested_bytes_estimate = 0;  // requested bytes of live objects, from the in-use samples; 0 when no samples
};

// MemStats: cumulative and current figures of the whole process. Bytes unless named otherwise.
struct MemStats {
  uint64_t epoch = 0;               // counts collections of this process by this agent
  int64_t time_unix_ns = 0;         // when the segment was read
  uint64_t alloc = 0;               // = heap_alloc
  uint64_t total_alloc = 0;         // cumulative
  uint64_t sys = 0;                 // sum of all *_sys
  uint64_t mallocs = 0, frees = 0;  // cumulative objects
  uint64_t heap_alloc = 0, heap_sys = 0, heap_idle = 0, heap_inuse = 0, heap_released = 0, heap_objects = 0;
  uint64_t stack_inuse = 0, stack_sys = 0;
  uint64_t mspan_inuse = 0, mspan_sys = 0, mcache_inuse = 0, mcache_sys = 0;
  uint64_t buck_hash_sys = 0, gc_sys = 0, other_sys = 0;
  uint64_t os_reserved = 0, os_prepared = 0, os_ready = 0;
  std::array<uint64_t, 8> os_calls{};  // sys_reserve, map, used, unused, fault, alloc, free; failures
  uint64_t peak_heap_inuse = 0;
  int64_t peak_heap_inuse_time_unix_ns = 0;
  uint64_t scavenged_bytes_total = 0, scavenge_ns_total = 0;
  uint64_t heap_grows = 0, heap_grow_bytes = 0;
  uint64_t next_trigger = 0;  // heap_inuse at which the peak profile is taken next
  uint64_t soft_limit = 0, soft_limit_hits = 0, out_of_memory = 0;
  uint64_t sample_period = 0, samples_taken = 0, samples_live = 0, samples_truncated = 0;
  uint64_t threads_live = 0, threads_started = 0;
  uint64_t spans_live = 0, spans_idle = 0, arenas = 0;
  uint64_t tiny_allocs = 0;
  uint64_t thread_cache_bytes = 0;  // free slots in thread caches, as of each thread's last slow path
  uint64_t segment_bytes = 0;
  // From the kernel, while the process lives; 0 = not available. Kept from the last successful read after it ended.
  uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::vector<SizeClassStats> by_size;  // index = size class, 0 = large; always LIBALLOC_ABI_SIZE_CLASSES entries
};

struct Span {
  uint32_t record = 0;  // number in the span table
  uint64_t base = 0;
  uint32_t pages = 0;
  uint8_t state = 0;    // enum liballoc_abi_span_state
  uint8_t size_class = 0;
  uint8_t flags = 0;    // LIBALLOC_SPAN_FLAG_*
  uint32_t object_bytes = 0, objects = 0, allocated = 0, owner_tid = 0;
  int64_t changed_unix_ns = 0, unused_unix_ns = 0;
};

// What a thread carried: key and value, by ascending key, no key twice.
using LabelSet = std::vector<std::pair<std::string, std::string>>;

// Raw sampled counts of one (stack, size, period, labels). Estimates come from weight() in profile_math.h.
struct Bucket {
  uint32_t stack = 0;  // index into Snapshot::stacks
  uint32_t label_set = 0;  // index into Snapshot::label_sets
  uint32_t cache_class = 0;
  uint64_t allocated_bytes = 0, period = 0;
  uint64_t allocs = 0, alloc_requested = 0, frees = 0, free_requested = 0;
};

struct Stack {
  std::vector<uint64_t> pcs;  // leaf first, return addresses
  bool truncated = false;
};

struct LiveSample {
  uint64_t address = 0, requested_bytes = 0, allocated_bytes = 0, period = 0;
  int64_t time_unix_ns = 0;
  uint32_t stack = 0;   // index into Snapshot::stacks
  uint32_t bucket = 0;  // index into Snapshot::buckets
  uint32_t tid = 0;
  uint32_t label_set = 0;  // index into Snapshot::label_sets
};

struct Module {
  uint64_t start = 0, end = 0, file_offset = 0, load_bias = 0;
  int64_t loaded_unix_ns = 0, unloaded_unix_ns = 0;  // unloaded 0 = still mapped
  std::string path;
  std::string build_id;  // lowercase hex
};

struct Event {
  uint64_t sequence = 0;
  int64_t time_unix_ns = 0;
  uint32_t kind = 0;  // enum liballoc_abi_event
  uint32_t tid = 0;
  uint64_t a = 0, b = 0, c = 0, d = 0, e = 0;
};

struct Fault {
  static constexpr uint32_t kNoStack = UINT32_MAX;
  uint64_t code = 0, address = 0, span_base = 0, object_base = 0;
  int64_t time_unix_ns = 0;
  uint32_t tid = 0, size_class = 0, span_state = 0;
  // Indexes into Snapshot::stacks: of the object's allocation and free, and of the call that found the fault.
  uint32_t alloc_stack = kNoStack, free_stack = kNoStack, fault_stack = kNoStack;
  std::string message;
};

// What was in use at the highest heap so far, as of the last trigger (telemetry_abi.h): raw sampled counts.
struct PeakProfile {
  uint64_t heap_inuse = 0;  // when it was taken; 0 = none was
  int64_t time_unix_ns = 0;
  struct InUse {
    uint64_t objects = 0, requested = 0;
  };
  std::vector<InUse> buckets;  // [i] belongs to Snapshot::buckets[i]; may be shorter
};

// What could not be read as written. All 0 in a quiet process.
struct ReadHealth {
  uint64_t torn_records = 0;      // left out of this snapshot: the writer was inside them
  uint64_t corrupt_records = 0;   // left out: values that cannot be
  uint64_t dropped_records = 0;   // the writer had no room for them (sum over sections)
  uint64_t ring_events = 0;       // ring head: events ever written
  uint64_t ring_read = 0;         // of those, read or missed so far
  uint64_t ring_missed = 0;       // events overwritten before this agent read them, cumulative
  uint64_t ring_corrupt = 0;      // ring records that were nonsense, cumulative
  uint64_t growth_failures = 0;
};

struct Snapshot {
  ProcessIdentity identity;
  ProcessState state = ProcessState::kRunning;
  int64_t time_unix_ns = 0;       // when it was read
  int64_t exit_time_unix_ns = 0;  // when the end was recorded or noticed; 0 = running
  uint64_t ring_missed_at_first = 0;  // of health.ring_missed, before this agent's first reading
  MemStats memstats;
  uint32_t page_bytes = 8192;     // of the heap; a power of two
  uint64_t arena_bytes = 67108864;  // a multiple of page_bytes, never 0
  SharedList<Span> spans;         // shared with the snapshot before while no span changes
  std::vector<Stack> stacks;
  std::vector<LabelSet> label_sets;  // [0] is the empty one; none at all: nothing has labels
  std::vector<Bucket> buckets;
  PeakProfile peak;
  std::vector<LiveSample> live_samples;
  std::vector<Module> modules;
  std::vector<Fault> faults;
  ReadHealth health;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

}  // namespace liballoc::agent
