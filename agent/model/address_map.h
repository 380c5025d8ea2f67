// address_map.h - the heap's address space arena by arena: what each page is used for.
//
// A pure function with a bounded result, whatever the spans of the snapshot say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

enum class RunKind : uint8_t { kInUse, kPageCached, kIdle, kReleased, kUnknown };
inline constexpr size_t kRunKinds = 5;

struct PageRun {
  uint32_t first_page = 0;  // within the arena
  uint32_t pages = 0;
  RunKind kind = RunKind::kUnknown;
};

struct ArenaMap {
  uint64_t base = 0;
  uint32_t pages[kRunKinds] = {};  // by RunKind
  uint32_t spans = 0;              // that begin here
  uint32_t longest_free_pages = 0;
  std::vector<PageRun> runs;  // all pages of the arena, without a gap; neighbours differ in kind
};

struct AddressMap {
  std::vector<ArenaMap> arenas;  // by address
  uint64_t omitted_pages = 0;    // of spans beyond kMaxArenas
};

// 64 Ki arenas of 64 MiB are 4 TiB of heap.
inline constexpr size_t kMaxArenas = size_t{1} << 16;

AddressMap address_map(const Snapshot& snapshot, size_t max_arenas = kMaxArenas);

}  // namespace liballoc::agent
