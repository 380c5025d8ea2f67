// stack.cc - see stack.h. libgcc finds unwind tables through _dl_find_object, which takes no lock,
// and keeps its contexts on the stack.
#include "liballoc/profile/stack.h"

#include <unwind.h>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"

struct dwarf_eh_bases {  // of libgcc; what it holds is of no interest here
  void* bases[3];
};
extern "C" const void* _Unwind_Find_FDE(void* pc, dwarf_eh_bases* bases);

namespace liballoc {

namespace {

// Set once and for all when the unwinder knows this code. In a fully static program it knows none until a constructor has
// registered the program's tables, which runs after ours; asked for a stack before, libgcc aborts.
constinit bool g_tables_found = false;

bool tables_found() {
  if (load_relaxed(&g_tables_found)) return true;
  dwarf_eh_bases bases;
  if (_Unwind_Find_FDE(reinterpret_cast<void*>(&warm_unwinder), &bases) == nullptr) return false;
  store_relaxed(&g_tables_found, true);
  return true;
}

// Only the own thread reads and writes it; a signal handler that allocates finds it set.
constinit thread_local bool t_unwinding LIBALLOC_TLS_MODEL = false;

struct Walk {
  uintptr_t* pcs;
  uint32_t max_depth;
  uint32_t skip;
  uint32_t depth;
  bool truncated;
};

_Unwind_Reason_Code visit_frame(_Unwind_Context* context, void* argument) {
  auto* const walk = static_cast<Walk*>(argument);
  int before_instruction = 0;
  const uintptr_t ip = _Unwind_GetIPInfo(context, &before_instruction);
  if (ip == 0) return _URC_END_OF_STACK;
  if (walk->skip != 0) {
    walk->skip--;
    return _URC_NO_REASON;
  }
  if (walk->depth == walk->max_depth) {
    walk->truncated = true;
    return _URC_END_OF_STACK;
  }
  // Below a signal frame the address is of the interrupted instruction itself, not of what follows
  // a call.
  walk->pcs[walk->depth++] = ip + (before_instruction != 0 ? 1 : 0);
  return _URC_NO_REASON;
}

}  // namespace

LIBALLOC_NOINLINE CapturedStack capture_stack(uintptr_t* pcs, uint32_t max_depth, uint32_t skip) {
  if (t_unwinding) return {0, false};
  t_unwinding = true;
  Walk walk = {pcs, max_depth, skip + 1, 0, false};  // 1: this function
  if (LIBALLOC_LIKELY(tables_found())) _Unwind_Backtrace(visit_frame, &walk);
  t_unwinding = false;
  return {walk.depth, walk.truncated};
}

void warm_unwinder() {
  uintptr_t pcs[4];
  capture_stack(pcs, 4, 0);
}

uint64_t hash_stack(const uintptr_t* pcs, uint32_t depth) {
  uint64_t hash = 0x9e3779b97f4a7c15 ^ depth;
  for (uint32_t i = 0; i < depth; i++) {
    hash = (hash ^ pcs[i]) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace liballoc
