// memstats_builder.h - the figures of a whole process from its counter blocks and its memstats
// record.
//
// Identities that hold in every result: alloc == heap_alloc == sum of live_bytes, heap_objects ==
// mallocs - frees, heap_sys == heap_inuse + heap_idle, heap_released <= heap_idle, sys == sum of
// all *_sys, frees <= mallocs per class. No cumulative figure is ever below the one before. Keeps
// state per process; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/model/snapshot.h"
#include "agent/reader/wall_clock.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc::agent {

struct MemStatsInput {
  const std::vector<liballoc_abi_size_class>& size_classes;  // at least LIBALLOC_ABI_SIZE_CLASSES
  const std::vector<liballoc_abi_thread>& threads;
  const liballoc_abi_memstats& memstats;
  const SharedList<Span>& spans;
  const std::vector<Bucket>& buckets;
};

class MemStatsBuilder {
 public:
  MemStats build(const MemStatsInput& input, const WallClock& clock, ReadHealth& health);

 private:
  void keep_monotone(MemStats& now);

  std::optional<MemStats> last_;
};

}  // namespace liballoc::agent
