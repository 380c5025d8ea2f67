// report.cc - see report.h. The first line is written by fatal(), so that it is out before anything
// else is looked at.
#include "liballoc/core/report.h"

#include <cstring>

#include "liballoc/base/check.h"
#include "liballoc/base/syscall.h"
#include "liballoc/core/fault_text.h"
#include "liballoc/core/freed_samples.h"
#include "liballoc/core/runtime.h"
#include "liballoc/core/sampling.h"
#include "liballoc/core/thread.h"
#include "liballoc/heap/specials.h"
#include "liballoc/os/os.h"
#include "liballoc/profile/stack.h"

namespace liballoc {

namespace {

void say_who(const char* what, uint32_t tid, uint64_t age_ns) {
  LineBuffer line;
  line.text("  ").text(what).text(" by thread ").dec(tid);
  if (age_ns != 0) line.text(", ").dec(age_ns / 1000000).text(" ms ago");
  line.write_to_stderr();
}

void print_stored_stack(const char* title, uint32_t stack) {
  uint64_t pcs[kMaxStackDepth];
  print_stack(title, pcs, g_segment.stored_stack(stack, pcs, kMaxStackDepth));
}

// What sampling knows of the object, live or freed.
void add_history(liballoc_abi_fault* fault, const Span* span, uint64_t now) {
  const uint32_t record =
      span != nullptr && has_specials(span)
          ? sample_of(span, span->size_class == 0 ? 0 : span->slot_of(static_cast<uintptr_t>(fault->address)))
          : 0;
  liballoc_abi_sample live = {};
  if (g_segment.copy_sample(record, &live)) {
    fault->alloc_stack = live.stack;
    LineBuffer line;
    line.text("  the object lives; ").dec(live.requested_bytes).text(" bytes were asked for");
    line.write_to_stderr();
    say_who("allocated", live.tid, now - live.time_ns);
    print_stored_stack("allocated at", live.stack);
    return;
  }
  FreedSample freed;
  if (!find_freed_sample(fault->address, &freed)) return;
  uintptr_t pcs[kFreedDepth];
  for (uint32_t i = 0; i < freed.depth; i++) pcs[i] = static_cast<uintptr_t>(freed.pcs[i]);
  fault->alloc_stack = freed.alloc_stack;
  fault->free_stack =
      g_segment.intern_stack(pcs, freed.depth, false, hash_stack(pcs, freed.depth), now);
  LineBuffer line;
  line.text("  the last sampled object here was of ")
      .dec(freed.requested_bytes)
      .text(" bytes at ")
      .hex(freed.address);
  line.write_to_stderr();
  say_who("allocated", freed.alloc_tid, 0);
  print_stored_stack("allocated at", freed.alloc_stack);
  say_who("freed", freed.free_tid, now - freed.freed_ns);
  if (freed.depth != 0) print_stack("freed at", freed.pcs, freed.depth);
}

LIBALLOC_NOINLINE void add_own_stack(liballoc_abi_fault* fault, uint64_t now) {
  uintptr_t pcs[kMaxStackDepth];
  uint64_t words[kMaxStackDepth];
  const CapturedStack stack =
      capture_stack(pcs, kMaxStackDepth, 4);  // from who called report_...()
  for (uint32_t i = 0; i < stack.depth; i++) words[i] = pcs[i];
  fault->fault_stack =
      g_segment.intern_stack(pcs, stack.depth, stack.truncated, hash_stack(pcs, stack.depth), now);
  say_who("found", fault->tid, 0);
  print_stack("found at", words, stack.depth);
  if (!g_config.check) {
    LineBuffer line;
    line.text(
        "  A small object's second free may show late: with LIBALLOC_CHECK=1 every free is checked "
        "at once.");
    line.write_to_stderr();
  }
}

void keep_fault(const FatalFault& what) {
  liballoc_abi_fault fault = {};
  const uint64_t now = monotonic_ns();
  fault.code = what.code;
  fault.address = what.address;
  fault.time_ns = now;
  fault.tid = sys::current_tid();
  LineBuffer message;
  message.text(what.message, what.size);
  Span* span = what.address != 0 ? g_heap.map().find_in_use(what.address) : nullptr;
  // The shape is looked at first: a damaged record must not be reckoned with.
  const bool sound = span != nullptr && (span->size_class == 0 || span->wrong_shape() == nullptr);
  if (sound) {
    fault.size_class = span->size_class;
    fault.span_base = span->base;
    fault.span_state = static_cast<uint32_t>(span->place);
    fault.object_base =
        span->size_class != 0 ? span->slot_address(span->slot_of(what.address)) : span->base;
    LineBuffer line;
    line.text("  ");
    describe_object(line, span, what.address);
    line.write_to_stderr();
    message.text("; ").text(line.data() + 2, line.size() - 2);
  } else if (span != nullptr) {
    fault.span_base = span->base;
  }
  if (what.code != kFaultCheck) {
    if (Thread* thread = t_thread)
      thread->in_slow = true;  // what the program's own handlers allocate from here on
    add_history(&fault, sound ? span : nullptr, now);
    add_own_stack(&fault, now);
    g_segment.emit(LIBALLOC_EVENT_FAULT, fault.tid, now, fault.address, fault.code);
  }
  const size_t size =
      message.size() < sizeof(fault.message) ? message.size() : sizeof(fault.message) - 1;
  memcpy(fault.message, message.data(), size);
  g_segment.record_fault(fault);
  g_segment.retire(LIBALLOC_EXIT_FAULT, /*keep_file=*/true);
}

}  // namespace

void report_install() { set_fatal_hook(keep_fault); }

void report_bad_free(BadFree kind, const void* p, const char* call) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(p);
  uint64_t code = LIBALLOC_FAULT_NOT_ALLOCATED;
  LineBuffer line;
  line.text("liballoc: ");
  switch (kind) {
    case BadFree::kForeign:
      code = LIBALLOC_FAULT_FOREIGN;
      line.text(call).text(" of a pointer that no malloc returned: ");
      break;
    case BadFree::kInterior:
      code = LIBALLOC_FAULT_INTERIOR;
      line.text(call).text(" of a pointer into the middle of an object: ");
      break;
    case BadFree::kDoubleFree:
      code = LIBALLOC_FAULT_DOUBLE_FREE;
      line.text("double ").text(call).text(": ");
      break;
    case BadFree::kNotAllocated:
    case BadFree::kNone:
      line.text(call).text(" of memory that is not allocated: ");
      break;
  }
  line.hex(address);
  fatal(line, code, address);
}

void report_wrong_size(const void* p, size_t bytes, size_t object_bytes) {
  LineBuffer line;
  line.text("liballoc: sized free of ")
      .dec(bytes)
      .text(" bytes for an object of ")
      .dec(object_bytes)
      .text(" bytes: ");
  line.hex(reinterpret_cast<uintptr_t>(p));
  fatal(line, LIBALLOC_FAULT_WRONG_SIZE, reinterpret_cast<uintptr_t>(p));
}

}  // namespace liballoc
