// limits.h - every cap on what the agent takes from a segment, each with its reason. A segment can
// be written by anyone who may write the directory: without these it could ask for any amount of
// memory or time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry_abi.h"

namespace liballoc::agent::limits {

// Logical size of the file. Sparse, so it costs nothing; four times today's capacity leaves room
// for newer minors.
inline constexpr uint64_t kMaxFileBytes = 4 * LIBALLOC_ABI_CAPACITY_BYTES;
// The part that is described and may be read: the cap of the format itself.
inline constexpr uint64_t kMaxValidBytes = LIBALLOC_ABI_CAPACITY_BYTES;

// A newer minor may have a longer header, directory entry or record, but none has a reason to
// exceed a page or so.
inline constexpr uint32_t kMaxHeaderBytes = 4096;
inline constexpr uint32_t kMaxDirectoryStride = 4096;
inline constexpr uint32_t kMaxStride = 65536;
inline constexpr uint64_t kMaxDirectoryEntries = LIBALLOC_ABI_DIRECTORY_CAPACITY;
inline constexpr uint64_t kSectionAlignment = 64;  // what the format promises

// Records read per section. What lies beyond is left out and counted as dropped, so that a
// legitimate giant is still served. Sized so that one snapshot of a hostile segment stays below
// about 600 MiB.
inline constexpr uint64_t kMaxThreads =
    1u << 16;  // 64 Ki blocks are 276 MiB: more than a segment holds
inline constexpr uint64_t kMaxSpans =
    1u << 21;  // 2 Mi spans of at least 8 KiB: 16 GiB of small objects
inline constexpr uint64_t kMaxStacks =
    1u << 19;  // distinct call stacks; large programs have some ten thousand
inline constexpr uint64_t kMaxFrames = 1u << 24;   // 32 per stack on average; 128 MiB
inline constexpr uint64_t kMaxBuckets = 1u << 20;  // two sizes per stack
inline constexpr uint64_t kMaxSamples = 1u << 20;  // at 512 KiB apart: 512 GiB of live heap
inline constexpr uint64_t kMaxLabels = 1u << 13;     // twice what today's library stores
inline constexpr uint64_t kMaxLabelSets = 1u << 13;  // likewise; the longest in each take some 70 MiB
inline constexpr uint64_t kMaxModules = 1u << 14;  // 16 Ki mapped files
inline constexpr uint64_t kMaxFaults = 1u << 10;   // the library aborts after one
inline constexpr uint32_t kMaxStackDepth = 1024;   // deeper stacks cannot be told from corruption

inline constexpr uint64_t kMaxArenaBytes = uint64_t{1} << 40;  // 16 Ki times today's arenas

// Bytes fetched by one pread of a table that is compared with a second fetch: stays in the
// second-level cache.
inline constexpr size_t kChunkBytes = 256 * 1024;

// A record under a sequence word that was caught in the middle is fetched again: writers hold one
// for well under a microsecond, a fetch takes about one, so a few tries settle it unless the writer
// was descheduled or lies.
inline constexpr int kTornRetries = 16;
// Tries for all records of one table together, so that a table of odd sequences costs milliseconds,
// not minutes.
inline constexpr int kTornRetryBudget = 4096;

// Readings of the peak table: the writer takes a peak when the heap has grown by a sixteenth, so that
// two within one reading are rare.
inline constexpr int kPeakRetries = 3;

// Fetches of header and directory while an extent seems to end behind valid_bytes: one more than
// the extents that can be added meanwhile, and a fetch takes a few microseconds.
inline constexpr int kLayoutFetches = 8;

// Ring events taken by one drain; the rest waits for the next, so that no single process holds the
// collector up.
inline constexpr uint64_t kMaxEventsPerDrain = 1u << 16;

// Segments looked at in one directory: each costs a descriptor and a snapshot.
inline constexpr size_t kMaxSegments = 4096;
// Ended processes kept: the smallest snapshot is some 50 KiB, and a shell script ends a hundred
// processes in a second.
inline constexpr size_t kMaxEnded = 256;

}  // namespace liballoc::agent::limits
