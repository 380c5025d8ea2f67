// span_fixture.h - a process with spans for the tests of the Spans and Events services.
#pragma once

#include <memory>

#include "agent/model/snapshot.h"
#include "tests/agent/service/server_fixture.h"

namespace liballoc::agent {

inline constexpr uint64_t kSpanArena = 0x7f0000000000;  // a multiple of 64 MiB

// A process with one span per state in turn: span i is page i of the arena, i ns old, of 32-byte
// slots where it has slots. It was read at 1700000001 s.
inline std::shared_ptr<Snapshot> process_with_spans(uint32_t pid, uint32_t count) {
  auto snapshot = sample_process(pid);
  snapshot->memstats.by_size[3].object_bytes = 32;
  snapshot->memstats.by_size[3].mallocs = 5;
  snapshot->memstats.by_size[4].object_bytes = 48;
  for (uint32_t i = 0; i < count; ++i) {
    Span span;
    span.record = i;
    span.base = kSpanArena + uint64_t{i} * 8192;
    span.pages = 1;
    span.state = static_cast<uint8_t>(1 + i % 5);  // free, partial, full, cached, large
    if (span.state >= LIBALLOC_SPAN_PARTIAL && span.state <= LIBALLOC_SPAN_CACHED) {
      span.size_class = 3;
      span.object_bytes = 32;
      span.objects = 256;
      span.allocated = span.state == LIBALLOC_SPAN_FULL ? 256 : 64;
    }
    span.owner_tid = span.state == LIBALLOC_SPAN_CACHED ? 77 : 0;
    span.changed_unix_ns = snapshot->time_unix_ns - static_cast<int64_t>(i);
    snapshot->spans.push_back(span);
  }
  return snapshot;
}

}  // namespace liballoc::agent
