// runtime.cc - see runtime.h.
#include "liballoc/core/runtime.h"

#include <atomic>
#include <cstring>

#include "liballoc/base/check.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/fork.h"
#include "liballoc/core/report.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/sbrk_mode.h"
#include "liballoc/core/scavenge_thread.h"
#include "liballoc/core/telemetry_bridge.h"
#include "liballoc/core/thread.h"
#include "liballoc/os/os.h"
#include "liballoc/profile/module_finder.h"
#include "liballoc/profile/stack.h"
#include "liballoc/telemetry/identity.h"

namespace liballoc {

constinit Heap g_heap;
constinit Segment g_segment;
constinit Config g_config;

namespace {

// Small next to any heap that frees so much at once; nothing of it keeps the heap from growing less.
constexpr size_t kRecentSpanBytes = size_t{16} << 20;

constinit bool g_heap_started = false;  // under the registry's lock
constinit RelaxedCounter g_out_of_memory;
// Set when the process is (or becomes) one that should have a segment, cleared by whoever makes it. Relaxed: only the main
// thread at start and the single thread of a forked child see it set.
constinit std::atomic<bool> g_segment_wanted{false};
// The process whose segment this is: an _exit in a vfork child must not retire its parent's.
constinit std::atomic<uint32_t> g_segment_pid{0};

consteval std::array<liballoc_abi_size_class, kSizeClasses> make_abi_classes() {
  std::array<liballoc_abi_size_class, kSizeClasses> out{};
  for (unsigned c = 1; c < kSizeClasses; c++) out[c] = {kClasses[c].bytes, kClasses[c].pages, kClasses[c].objects, 0};
  return out;
}
constexpr auto kAbiClasses = make_abi_classes();

const char* text_of(SegmentStatus status) {
  switch (status) {
    case SegmentStatus::kOk: return "made";
    case SegmentStatus::kDisabled: return "turned off";
    case SegmentStatus::kNoDirectory: return "no such directory";
    case SegmentStatus::kNoSpace: return "the file system is full";
    case SegmentStatus::kNoPermission: return "permission denied";
    case SegmentStatus::kLimited: return "a resource limit leaves no room";
    case SegmentStatus::kFailed: return "the system refused";
  }
  return "";
}

void say(const char* line) {
  LineBuffer buffer;
  buffer.text(line);
  buffer.write_to_stderr();
}

// Makes a segment when telemetry is wanted and there is none. `config` says who the process is.
void create_segment(SegmentConfig config) {
  if (!g_segment_wanted.exchange(false, std::memory_order_relaxed)) return;
  config.dir = g_config.shm_dir;
  config.service = g_config.service;
  config.sample_period = g_config.sample_rate;
  config.find_module = find_module;
  bridge_forget_all_spans();
  fork_lock().lock();
  const SegmentStatus status = g_segment.create(config, kAbiClasses.data());
  fork_lock().unlock();
  if (status != SegmentStatus::kOk) {
    set_sample_period(0);
    if (g_config.verbose) {
      LineBuffer line;
      line.text("liballoc: no telemetry segment in ").text(g_config.shm_dir).text(": ").text(text_of(status));
      line.write_to_stderr();
    }
    return;
  }
  g_segment_pid.store(sys::current_pid(), std::memory_order_relaxed);
  set_sample_period(g_config.sample_rate);
  bridge_publish_all_spans(config.forked_from == 0);  // a child inherits more than a ring is for
  bridge_publish_memstats();
  if (g_config.verbose) {
    LineBuffer line;
    line.text("liballoc: telemetry segment ").text(g_segment.path());
    line.write_to_stderr();
  }
}

}  // namespace

bool runtime_start_heap() {
  if (g_heap_started) return true;
  if (!g_heap.init(LIBALLOC_TSAN ? 0 : kArenaHintCount, g_arena_table)) return false;
  g_heap.pages().keep_recent(kRecentSpanBytes);
  g_heap.set_bad_free_handler([](BadFree bad, void* culprit) { report_bad_free(bad, culprit); });
  bridge_install();
  report_install();
  fork_install();
  g_heap_started = true;
  return true;
}

bool runtime_segment_wanted() { return g_segment_wanted.load(std::memory_order_relaxed); }

void runtime_want_segment() { g_segment_wanted.store(g_config.telemetry, std::memory_order_relaxed); }

void runtime_create_segment_of_child(uint64_t forked_from) {
  SegmentConfig config;
  config.forked_from = forked_from;
  create_segment(config);
}

void runtime_start_telemetry(const ProcessStart& process) {
  parse_config(process.environment, &g_config, say);
  if (!thread_start_heap()) return;  // no memory at all: the program will hear of it from malloc
  if (g_config.sbrk) start_sbrk_mode();
  if (g_config.soft_limit != 0) g_heap.pages().set_soft_limit(g_config.soft_limit);
  if (g_config.check) {
    if (Thread* thread = t_thread) {
      thread->in_slow = true;
      thread_give_all_back();
      thread->in_slow = false;
    }
    thread_stop_hits();
  }
  runtime_want_segment();
  if (!g_config.telemetry) return;
  // Before the thread has a record, so that it counts in the segment from its first object on; unless the loader or a constructor
  // has allocated already.
  if (g_config.sample_rate != 0) warm_unwinder();
  if (Thread* thread = t_thread) thread->in_slow = true;
  char scratch[kIdentityScratchBytes];  // the loader has used as much of this stack
  SegmentConfig config;
  config.arguments = process.arguments;
  config.argument_count = process.argument_count;
  config.scratch = scratch;
  create_segment(config);
  if (Thread* thread = t_thread) {
    thread_join_segment(thread);
    thread->in_slow = false;
  }
}

void runtime_exit() {
  scavenge_thread_stop();
  if (!g_segment.active() || g_segment_pid.load(std::memory_order_relaxed) != sys::current_pid()) return;
  read_clock_by_call(true);
  if (!thread_is_inside()) {  // a signal handler may end the process while its thread holds the locks
    const ThreadChanging changing;
    bridge_publish_memstats();
  }
  g_segment.retire(LIBALLOC_EXIT_CLEAN, g_config.keep_segment);
}

void count_out_of_memory() { g_out_of_memory.add(1); }
uint64_t out_of_memory_count() { return g_out_of_memory.load(); }

}  // namespace liballoc
