// heap.h - the shared half of the allocator: arena map, page heap and one central list per cache class. One constinit
// instance serves the process; tests make their own. Nothing here knows threads' caches, sampling or telemetry.
#pragma once

#include "liballoc/heap/arena_map.h"
#include "liballoc/heap/central_list.h"
#include "liballoc/heap/page_heap.h"

namespace liballoc {

class Heap {
 public:
  constexpr Heap() : pages_(map_, sys_) {}
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // `arena_table`: see ArenaMap::init().
  [[nodiscard]] bool init(unsigned hint_count = kArenaHintCount, ArenaMap::Entry* arena_table = nullptr) {
    if (!pages_.init(hint_count, arena_table)) return false;
    for (unsigned c = 0; c < kCacheClasses; c++) central_[c].init(c, &pages_);
    return true;
  }

  ArenaMap& map() { return map_; }
  PageHeap& pages() { return pages_; }
  CentralList& central(unsigned cache_cls) { return central_[cache_cls]; }
  constexpr SysStats& sys() { return sys_; }

  void lock_for_fork() {
    for (CentralList& c : central_) c.lock_for_fork();
    pages_.lock_for_fork();
  }
  void unlock_after_fork(bool in_child) {
    pages_.unlock_after_fork(in_child);
    for (CentralList& c : central_) c.unlock_after_fork(in_child);
  }
  void verify() {
    for (CentralList& c : central_) c.verify();
    pages_.verify();
  }

 private:
  SysStats sys_;
  ArenaMap map_;
  PageHeap pages_;
  CentralList central_[kCacheClasses];
};

}  // namespace liballoc
