// address_map.cc - see address_map.h. Must never add an arena without looking at the bound.
#include "agent/model/address_map.h"

#include <algorithm>

#include "agent/model/span_query.h"

namespace liballoc::agent {
namespace {

RunKind kind_of(const Span& span) {
  if (span.state == LIBALLOC_SPAN_PAGE_CACHED) return RunKind::kPageCached;
  if (span.state != LIBALLOC_SPAN_FREE) return RunKind::kInUse;
  return (span.flags & LIBALLOC_SPAN_FLAG_SCAVENGED) != 0 ? RunKind::kReleased : RunKind::kIdle;
}

void append(ArenaMap& arena, uint32_t pages, RunKind kind) {
  if (pages == 0) return;
  if (!arena.runs.empty() && arena.runs.back().kind == kind) {
    arena.runs.back().pages += pages;
    return;
  }
  const PageRun* last = arena.runs.empty() ? nullptr : &arena.runs.back();
  arena.runs.push_back({last == nullptr ? 0 : last->first_page + last->pages, pages, kind});
}

uint32_t covered(const ArenaMap& arena) {
  return arena.runs.empty() ? 0 : arena.runs.back().first_page + arena.runs.back().pages;
}

void finish(ArenaMap& arena, uint32_t arena_pages) {
  append(arena, arena_pages - covered(arena), RunKind::kUnknown);
  uint32_t free_pages = 0;  // of idle and released runs side by side
  for (const PageRun& run : arena.runs) {
    arena.pages[static_cast<size_t>(run.kind)] += run.pages;
    const bool is_free = run.kind == RunKind::kIdle || run.kind == RunKind::kReleased;
    free_pages = is_free ? free_pages + run.pages : 0;
    arena.longest_free_pages = std::max(arena.longest_free_pages, free_pages);
  }
}

}  // namespace

AddressMap address_map(const Snapshot& snapshot, size_t max_arenas) {
  AddressMap map;
  const uint64_t page_bytes = snapshot.page_bytes;
  const uint64_t arena_bytes = snapshot.arena_bytes;
  const auto arena_pages = static_cast<uint32_t>(arena_bytes / page_bytes);
  for (const Span* span : spans_by_address(snapshot)) {
    uint64_t page = span->base / page_bytes;
    uint64_t left = std::min<uint64_t>(span->pages, UINT64_MAX / page_bytes - page);
    for (bool first = true; left > 0; first = false) {
      const uint64_t base = page / arena_pages * arena_bytes;
      if (map.arenas.empty() || map.arenas.back().base != base) {
        if (map.arenas.size() == max_arenas) {
          map.omitted_pages += left;
          break;
        }
        map.arenas.emplace_back().base = base;
      }
      ArenaMap& arena = map.arenas.back();
      const auto first_page = static_cast<uint32_t>(page % arena_pages);
      const auto pages = static_cast<uint32_t>(std::min<uint64_t>(left, arena_pages - first_page));
      const uint32_t before = covered(arena);  // a page that two spans claim goes to the first
      if (first_page > before) append(arena, first_page - before, RunKind::kUnknown);
      const uint32_t doubled = std::min(pages, covered(arena) - first_page);
      append(arena, pages - doubled, kind_of(*span));
      arena.spans += first ? 1 : 0;
      page += pages;
      left -= pages;
    }
  }
  for (ArenaMap& arena : map.arenas) finish(arena, arena_pages);
  return map;
}

}  // namespace liballoc::agent
