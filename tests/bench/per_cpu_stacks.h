// per_cpu_stacks.h - what per_cpu.cc compares: a pop and a push on a stack of free slots of the thread, as liballoc's hits are,
// and on one of the processor, by restartable sequences (rseq). x86-64 with glibc 2.35 or later only.
// It must never register an rseq area, as there is one per thread: it uses the one that glibc has registered.
#pragma once

#include <sys/rseq.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/compiler.h"

namespace liballoc::bench {

constexpr std::size_t kClasses = 8;

struct alignas(64) Stack {
  void** top;    // base <= top <= limit; all null: empty and full at once
  void** base;
  void** limit;
};

struct Table {
  Stack stacks[kClasses];
};
constexpr int kTableShift = 9;
static_assert(sizeof(Table) == 1 << kTableShift);

inline Stack& stack_at(Table* table, std::size_t offset) {
  return *reinterpret_cast<Stack*>(reinterpret_cast<char*>(table) + offset);
}

// Below, `offset` is that of the class in a table.

inline constinit Table g_empty{};
inline constinit thread_local Table* t_cache LIBALLOC_TLS_MODEL = &g_empty;

// Null when the stack is empty.
LIBALLOC_NOINLINE __attribute__((aligned(64))) inline void* thread_pop(std::size_t offset) {
  Stack& stack = stack_at(t_cache, offset);
  void** top = stack.top;
  if (LIBALLOC_UNLIKELY(top == stack.base)) return nullptr;
  stack.top = top - 1;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return top[-1];
}

// False when the stack is full, or the slot is the one that was pushed last.
LIBALLOC_NOINLINE __attribute__((aligned(64))) inline bool thread_push(std::size_t offset, void* slot) {
  Stack& stack = stack_at(t_cache, offset);
  void** top = stack.top;
  if (LIBALLOC_UNLIKELY(top == stack.limit)) return false;
  if (LIBALLOC_UNLIKELY(top[-1] == slot)) return false;
  *top = slot;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  stack.top = top + 1;
  return true;
}

struct CpuTables {
  std::ptrdiff_t area;  // of glibc's struct rseq, from the thread pointer
  Table* tables;        // one per possible processor
  std::uint64_t restarts;
};
inline constinit CpuTables g_cpu{};

// A sequence from 1 to 2, whose last instruction is the store that makes it count. The kernel sends a thread that was
// preempted, moved or interrupted within it to 4, and it starts again. Begins with %[at] = this processor's table and
// %[top] = the stack's top; 5 is the end, 6 where a stack that is empty or full ends up, with %[result] = 0.
// The jumps stay inside: what g++ 12 makes of an asm goto that has outputs is not what was written.
#define SEQUENCE_BEGIN                                      \
  ".pushsection __rseq_cs, \"aw\"\n\t"                      \
  ".balign 32\n"                                            \
  "3:\t.long 0, 0\n\t"                                      \
  ".quad 1f, 2f - 1f, 4f\n\t"                               \
  ".popsection\n"                                           \
  "0:\tleaq 3b(%%rip), %[at]\n\t"                           \
  "movq %[at], %%fs:8(%[area])\n" /* rseq_cs */             \
  "1:\tmovl %%fs:0(%[area]), %k[at]\n\t" /* cpu_id_start */ \
  "shlq %[shift], %[at]\n\t"                                \
  "addq %[tables], %[at]\n\t"                               \
  "movq (%[at],%[offset]), %[top]\n\t"
#define SEQUENCE_END                          \
  "movq %[top], (%[at],%[offset])\n"          \
  "2:\n\t"                                    \
  ".pushsection __rseq_failure, \"ax\"\n\t"   \
  ".byte 0x0f, 0xb9, 0x3d\n\t" /* ud1 with */ \
  ".long 0x53053053\n"         /* RSEQ_SIG */ \
  "4:\tlock incq %[restarts]\n\t"             \
  "jmp 0b\n"                                  \
  "6:\txorl %k[result], %k[result]\n\t"       \
  "jmp 5f\n\t"                                \
  ".popsection\n\t"
#define SEQUENCE_INPUTS                                                                                     \
  [area] "r"(g_cpu.area), [tables] "m"(g_cpu.tables), [restarts] "m"(g_cpu.restarts), [offset] "r"(offset), \
      [shift] "i"(kTableShift)
static_assert(RSEQ_SIG == 0x53053053 && offsetof(Stack, base) == 8 && offsetof(Stack, limit) == 16);

// As thread_pop().
LIBALLOC_NOINLINE __attribute__((aligned(64))) inline void* cpu_pop(std::size_t offset) {
  void* slot;
  std::uintptr_t at, top;
  asm volatile(SEQUENCE_BEGIN
               "cmpq 8(%[at],%[offset]), %[top]\n\t"
               "je 6f\n\t"
               "movq -8(%[top]), %[result]\n\t"
               "subq $8, %[top]\n\t"
               SEQUENCE_END
               "5:"
               : [result] "=&r"(slot), [at] "=&r"(at), [top] "=&r"(top)
               : SEQUENCE_INPUTS
               : "memory", "cc");
  return slot;
}

// As thread_push().
LIBALLOC_NOINLINE __attribute__((aligned(64))) inline bool cpu_push(std::size_t offset, void* slot) {
  bool pushed;
  std::uintptr_t at, top;
  asm volatile(SEQUENCE_BEGIN
               "cmpq 16(%[at],%[offset]), %[top]\n\t"
               "je 6f\n\t"
               "cmpq %[slot], -8(%[top])\n\t"
               "je 6f\n\t"
               "movq %[slot], (%[top])\n\t"
               "addq $8, %[top]\n\t"
               SEQUENCE_END
               "movl $1, %k[result]\n"
               "5:"
               : [result] "=&r"(pushed), [at] "=&r"(at), [top] "=&r"(top)
               : SEQUENCE_INPUTS, [slot] "r"(slot)
               : "memory", "cc");
  return pushed;
}

}  // namespace liballoc::bench
