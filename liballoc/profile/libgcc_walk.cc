// libgcc_walk.cc - see libgcc_walk.h. libgcc finds unwind tables through _dl_find_object, which
// takes no lock, and keeps its contexts on the stack.
#include "liballoc/profile/libgcc_walk.h"

#include <unwind.h>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"

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

bool tables_found() {
  if (load_relaxed(&g_tables_found)) return true;
  if (!libgcc_describes(reinterpret_cast<uintptr_t>(&walk_by_libgcc))) return false;
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

}  // namespace

LIBALLOC_NOINLINE void walk_by_libgcc(FrameSink* sink) {
  if (LIBALLOC_UNLIKELY(!tables_found())) return;
  sink->skip++;  // this function
  _Unwind_Backtrace(visit_frame, sink);
}

bool libgcc_describes(uintptr_t pc) {
  dwarf_eh_bases bases;
  return _Unwind_Find_FDE(reinterpret_cast<void*>(pc), &bases) != nullptr;
}

}  // namespace liballoc
