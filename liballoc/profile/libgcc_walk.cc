// libgcc_walk.cc - see libgcc_walk.h. libgcc finds unwind tables through _dl_find_object, which
// takes no lock, and keeps its contexts on the stack.
#include "liballoc/profile/libgcc_walk.h"

#include <stdlib.h>
#include <unwind.h>

#include <atomic>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/base/syscall.h"
#include "liballoc/os/os.h"
#include "liballoc/profile/unwind_module.h"

struct dwarf_eh_bases {  // of libgcc; what it holds is of no interest here
  void* bases[3];
};
extern "C" const void* _Unwind_Find_FDE(void* pc, dwarf_eh_bases* bases);

namespace liballoc {

namespace {

// Set once and for all when the unwinder knows this code. In a fully static program it knows none
// until a constructor has registered the program's tables, which runs after ours; asked for a stack
// before, libgcc aborts.
constinit bool g_tables_found = false;

// Either a walker sees the pause or the pauser sees the walker: both write, then read the other's
// word, sequentially consistent.
constinit std::atomic<uint32_t> g_inside{0};
constinit std::atomic<bool> g_paused{false};
constinit std::atomic<bool> g_stopped{false};
constexpr uint64_t kPatienceNs = 2000000000;

class Visit {
 public:
  Visit() {
    g_inside.fetch_add(1, std::memory_order_seq_cst);
    welcome_ = !g_paused.load(std::memory_order_seq_cst) &&
               !g_stopped.load(std::memory_order_seq_cst);
  }
  ~Visit() { g_inside.fetch_sub(1, std::memory_order_release); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  bool welcome() const { return welcome_; }

 private:
  bool welcome_;
};

bool find_table(uintptr_t pc) {
  dwarf_eh_bases bases;
  return _Unwind_Find_FDE(reinterpret_cast<void*>(pc), &bases) != nullptr;
}

bool tables_found() {
  if (load_relaxed(&g_tables_found)) return true;
  if (!find_table(reinterpret_cast<uintptr_t>(&walk_by_libgcc))) return false;
  store_relaxed(&g_tables_found, true);
  return true;
}

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  int before_instruction = 0;
  const uintptr_t ip = _Unwind_GetIPInfo(context, &before_instruction);
  if (ip == 0) return _URC_END_OF_STACK;
  // Below a signal frame the address is of the interrupted instruction itself, not of what follows
  // a call.
  const bool more = static_cast<FrameSink*>(argument)->add(ip + (before_instruction != 0 ? 1 : 0));
  return more ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// Bounded: a handler may have interrupted a walk of this thread or wait for this thread.
void wait_for_visitors() {
  if (g_inside.load(std::memory_order_seq_cst) == 0) return;
  const uint64_t end = monotonic_ns() + kPatienceNs;
  while (g_inside.load(std::memory_order_seq_cst) != 0 && monotonic_ns() < end) {
    sys::raw_syscall(SYS_sched_yield);
  }
}

void stop() {
  g_stopped.store(true, std::memory_order_seq_cst);
  wait_for_visitors();
}

}  // namespace

LIBALLOC_NOINLINE void walk_by_libgcc(FrameSink* sink) {
  const Visit visit;
  if (LIBALLOC_UNLIKELY(!visit.welcome() || !tables_found())) return;
  sink->skip++;  // this function
  _Unwind_Backtrace(visit_frame, sink);
  __asm__ volatile("" ::: "memory");  // no tail call: the frame to be skipped must be there
}

bool libgcc_describes(uintptr_t pc) {
  const Visit visit;
  return visit.welcome() && find_table(pc);
}

void libgcc_pause_for_fork() {
  g_paused.store(true, std::memory_order_seq_cst);
  wait_for_visitors();
}

void libgcc_resume_after_fork(bool in_child) {
  if (in_child) g_inside.store(0, std::memory_order_relaxed);
  g_paused.store(false, std::memory_order_release);
}

bool libgcc_stop_at_exit() {
  // Tables with a header that the loader knows stay as long as the image; others were registered.
  UnwindModule self;
  const auto here = reinterpret_cast<uintptr_t>(&walk_by_libgcc);
  if (find_unwind_module(here, &self) && self.header != 0) return false;
  atexit(stop);
  return true;
}

}  // namespace liballoc
