// runtime.h - the one instance of everything the library keeps per process, and its start.
#pragma once

#include "liballoc/core/config.h"
#include "liballoc/heap/heap.h"
#include "liballoc/telemetry/segment.h"

namespace liballoc {

extern constinit Heap g_heap;
// The arena map's entries, at a fixed address so that free() needs no pointer to them. 32 MiB of .bss, backed where touched.
extern constinit ArenaMap::Entry g_arena_table[kArenaEntries];
extern constinit Segment g_segment;
extern constinit Config g_config;

// Brings the heap up on the first call; false while the OS refuses. Called under the registry's lock.
[[nodiscard]] bool runtime_start_heap();
// What the kernel gave the process.
struct ProcessStart {
  const char* const* environment;
  const char* const* arguments;  // null: not known
  size_t argument_count;
};
// Reads the environment, makes the segment. Called once by the library's constructor, before main().
void runtime_start_telemetry(const ProcessStart& process);
// Makes a segment, if one is wanted, in the child of a fork. Takes no lock of ours on entry; the caller is inside a slow path.
void runtime_create_segment_of_child(uint64_t forked_from);
// Asks for a segment, if the configuration has telemetry on: a child's first slow path makes it.
void runtime_want_segment();
// True between a fork and the child's first slow path.
bool runtime_segment_wanted();
// End of the process by exit() or _exit().
void runtime_exit();

// Process-wide events counted here.
void count_out_of_memory();
uint64_t out_of_memory_count();

}  // namespace liballoc
