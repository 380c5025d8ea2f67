// sample_process.h - a hand-made process for tests: every figure is set, and no two of them are
// equal by accident.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

inline constexpr int64_t kSecond = 1000000000;
inline constexpr int64_t kSampleTime = 1700000000 * kSecond;  // when the sample process was read

inline std::shared_ptr<Snapshot> sample_process(uint32_t pid = 4242,
                                                const std::string& service = "checkout") {
  auto s = std::make_shared<Snapshot>();
  s->identity.key = "liballoc." + std::to_string(pid) + ".777";
  s->identity.pid = pid;
  s->identity.start_ticks = 777;
  s->identity.pid_namespace = 4026531836;
  s->identity.start_time_unix_ns = kSampleTime - 3600 * kSecond;
  s->identity.executable = "/usr/bin/" + service;
  s->identity.command_line = {"/usr/bin/" + service, "--port", "80 80"};
  s->identity.service = service;
  s->identity.liballoc_version = "0.1.0";
  s->identity.build_id = "abcdef0123456789";
  s->time_unix_ns = kSampleTime;

  MemStats& m = s->memstats;
  m.time_unix_ns = kSampleTime;
  uint64_t next = 1000;
  for (uint64_t* field : {&m.alloc,
                          &m.total_alloc,
                          &m.sys,
                          &m.mallocs,
                          &m.frees,
                          &m.heap_alloc,
                          &m.heap_sys,
                          &m.heap_idle,
                          &m.heap_inuse,
                          &m.heap_released,
                          &m.heap_objects,
                          &m.mspan_inuse,
                          &m.mspan_sys,
                          &m.mcache_inuse,
                          &m.mcache_sys,
                          &m.buck_hash_sys,
                          &m.gc_sys,
                          &m.other_sys,
                          &m.os_reserved,
                          &m.os_prepared,
                          &m.os_ready,
                          &m.peak_heap_inuse,
                          &m.scavenged_bytes_total,
                          &m.heap_grows,
                          &m.soft_limit,
                          &m.soft_limit_hits,
                          &m.out_of_memory,
                          &m.sample_period,
                          &m.samples_taken,
                          &m.samples_live,
                          &m.threads_live,
                          &m.threads_started,
                          &m.spans_live,
                          &m.spans_idle,
                          &m.arenas,
                          &m.thread_cache_bytes,
                          &m.resident_bytes,
                          &m.virtual_bytes}) {
    *field = next++;
  }
  for (uint64_t& calls : m.os_calls) calls = next++;
  m.scavenge_ns_total = 1500000000;
  m.sample_period = 524288;
  m.by_size.resize(LIBALLOC_ABI_SIZE_CLASSES);
  for (uint32_t i = 1; i < LIBALLOC_ABI_SIZE_CLASSES; ++i) m.by_size[i].object_bytes = i * 16;
  m.by_size[0].mallocs = 7;  // large
  m.by_size[0].frees = 4;
  m.by_size[0].live_bytes = 300000;
  m.by_size[0].spans = 3;
  m.by_size[3].mallocs = 100;  // 48 bytes
  m.by_size[3].frees = 40;
  m.by_size[3].live_bytes = 60 * 48;
  m.by_size[3].spans = 2;

  s->health.ring_events = 900;
  s->health.ring_missed = 95;
  s->ring_missed_at_first = 5;
  s->health.ring_corrupt = 9;
  s->health.dropped_records = 4;

  Module module;
  module.start = 0x400000;
  module.end = 0x500000;
  module.path = s->identity.executable;
  module.build_id = s->identity.build_id;
  s->modules = {module};
  s->stacks = {{{0x401010, 0x401020}, false}, {{0x401030, 0x401020}, false}};
  Bucket kept;  // 3 MiB, all alive
  kept.stack = 0;
  kept.allocated_bytes = 1048576;
  kept.period = 1;  // every allocation: weights are 1
  kept.allocs = 3;
  kept.alloc_requested = 3 * 1048576;
  Bucket freed = kept;  // 2 MiB, all freed
  freed.stack = 1;
  freed.allocs = freed.frees = 2;
  freed.alloc_requested = freed.free_requested = 2 * 1048576;
  s->buckets = {kept, freed};
  return s;
}

}  // namespace liballoc::agent
