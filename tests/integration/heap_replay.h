// heap_replay.h - the state of a heap as its ring tells it: spans by address, live samples by address. Follows docs/segment.md,
// "From changes to state", and nothing else. Must never look at a table but in adopt() and compare().
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <tuple>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

class HeapReplay {
 public:
  // Begins anew with what the tables show.
  void adopt(const Snapshot& tables) {
    spans_ = spans_of(tables);
    samples_ = samples_of(tables);
  }

  void apply(const Event& e) {
    const uint64_t bytes = e.b * kPage;
    switch (e.kind) {
      case LIBALLOC_EVENT_SAMPLE:
        samples_[e.a] = {e.b, e.c, static_cast<uint32_t>(e.d), static_cast<uint32_t>(e.d >> 32)};
        return;
      case LIBALLOC_EVENT_SAMPLE_FREE: samples_.erase(e.a); return;
      case LIBALLOC_EVENT_HEAP_GROW: fill(e.a, e.a + e.b); return;
      case LIBALLOC_EVENT_SPAN_ALLOC:
      case LIBALLOC_EVENT_SPAN_CACHE:
      case LIBALLOC_EVENT_SPAN_UNCACHE:
      case LIBALLOC_EVENT_SPAN_SWEEP:
      case LIBALLOC_EVENT_SPAN_FREE:
      case LIBALLOC_EVENT_SPAN_SPLIT:
      case LIBALLOC_EVENT_SPAN_MERGE:
      case LIBALLOC_EVENT_SPAN_SCAVENGE:
      case LIBALLOC_EVENT_SPAN_REUSE:
        set(e.a, bytes, look(static_cast<uint8_t>(e.d >> 16), static_cast<uint8_t>(e.d), static_cast<uint8_t>(e.d >> 8)));
        if (e.kind == LIBALLOC_EVENT_SPAN_SPLIT) {
          // The rest is idle, and released if the page heap says so of what it was cut from.
          set(e.a + bytes, e.e * kPage, look(LIBALLOC_SPAN_FREE, 0, static_cast<uint8_t>(e.d >> 8)));
        }
        return;
      default: return;
    }
  }

  // What differs from the tables of a heap at rest; empty = nothing.
  std::string compare(const Snapshot& tables) const {
    std::ostringstream out;
    compare_maps("span", spans_, spans_of(tables), out);
    compare_maps("sample", samples_, samples_of(tables), out);
    std::map<uint32_t, uint64_t> in_use;
    for (const auto& [address, sample] : samples_) in_use[sample.bucket - 1]++;
    for (const LiveSample& sample : tables.live_samples) {
      if (sample.label_set != tables.buckets[sample.bucket].label_set) {
        out << "sample " << std::hex << sample.address << std::dec << ": label set " << sample.label_set
            << ", that of its bucket is " << tables.buckets[sample.bucket].label_set << "\n";
      }
    }
    for (uint32_t b = 0; b < tables.buckets.size(); b++) {
      const Bucket& bucket = tables.buckets[b];
      const uint64_t here = in_use.contains(b) ? in_use[b] : 0;
      if (bucket.allocs - bucket.frees != here) {
        out << "bucket " << b << ": " << bucket.allocs - bucket.frees << " in the table, " << here << " by the ring\n";
      }
    }
    uint64_t inuse = 0, idle = 0;
    for (const auto& [base, span] : spans_) (span.kind == LIBALLOC_SPAN_FREE ? idle : inuse) += span.bytes;
    if (inuse != tables.memstats.heap_inuse || idle != tables.memstats.heap_idle) {
      out << "spans by the ring: " << inuse << " in use and " << idle << " idle bytes, memstats say "
          << tables.memstats.heap_inuse << " and " << tables.memstats.heap_idle << "\n";
    }
    return out.str();
  }

  size_t spans() const { return spans_.size(); }
  size_t samples() const { return samples_.size(); }

 private:
  static constexpr uint64_t kPage = 8192;
  struct SpanLook {
    uint64_t bytes = 0;
    uint8_t kind = 0, size_class = 0;
    bool released = false;
    auto operator<=>(const SpanLook&) const = default;
    std::string text() const {
      std::ostringstream out;
      out << bytes << " bytes, kind " << int{kind} << ", class " << int{size_class} << (released ? ", released" : "");
      return out.str();
    }
  };
  struct SampleLook {
    uint64_t requested = 0, allocated = 0;
    uint32_t stack = 0, bucket = 0;
    auto operator<=>(const SampleLook&) const = default;
    std::string text() const {
      std::ostringstream out;
      out << requested << " of " << allocated << " bytes, stack " << stack << ", bucket " << bucket;
      return out.str();
    }
  };

  // PARTIAL and FULL differ by how many slots are taken, which only the table knows.
  static SpanLook look(uint8_t state, uint8_t size_class, uint8_t flags) {
    SpanLook out;
    out.kind = state == LIBALLOC_SPAN_FULL ? uint8_t{LIBALLOC_SPAN_PARTIAL} : state;
    out.size_class = state == LIBALLOC_SPAN_FREE ? uint8_t{0} : size_class;
    out.released = (flags & LIBALLOC_SPAN_FLAG_SCAVENGED) != 0;
    return out;
  }

  static std::map<uint64_t, SpanLook> spans_of(const Snapshot& tables) {
    std::map<uint64_t, SpanLook> out;
    for (const Span& span : tables.spans) {
      SpanLook one = look(span.state, span.size_class, span.flags);
      one.bytes = span.pages * kPage;
      out[span.base] = one;
    }
    return out;
  }
  static std::map<uint64_t, SampleLook> samples_of(const Snapshot& tables) {
    std::map<uint64_t, SampleLook> out;
    for (const LiveSample& s : tables.live_samples) {
      out[s.address] = {s.requested_bytes, s.allocated_bytes, s.stack + 1, s.bucket + 1};
    }
    return out;
  }

  // Cuts whatever covers [from, to) so that nothing does.
  void clear(uint64_t from, uint64_t to) {
    auto at = spans_.upper_bound(from);
    if (at != spans_.begin()) --at;
    while (at != spans_.end() && at->first < to) {
      const uint64_t begin = at->first, end = begin + at->second.bytes;
      const SpanLook was = at->second;
      if (end <= from) {
        ++at;
        continue;
      }
      at = spans_.erase(at);
      if (begin < from) put(begin, from - begin, was);
      if (end > to) at = put(to, end - to, was);
    }
  }
  std::map<uint64_t, SpanLook>::iterator put(uint64_t base, uint64_t bytes, SpanLook span) {
    span.bytes = bytes;
    return spans_.insert_or_assign(base, span).first;
  }
  void set(uint64_t base, uint64_t bytes, SpanLook span) {
    if (bytes == 0) return;
    clear(base, base + bytes);
    put(base, bytes, span);
  }
  // New address space: idle and released, where no span is known yet.
  void fill(uint64_t from, uint64_t to) {
    for (uint64_t at = from; at < to; at += kPage) {
      auto next = spans_.upper_bound(at);
      if (next != spans_.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second.bytes > at) continue;
      }
      const uint64_t end = next == spans_.end() || next->first > to ? to : next->first;
      put(at, end - at, look(LIBALLOC_SPAN_FREE, 0, LIBALLOC_SPAN_FLAG_SCAVENGED));
    }
  }

  template <typename Look>
  static void compare_maps(const char* what, const std::map<uint64_t, Look>& ring, const std::map<uint64_t, Look>& table,
                           std::ostringstream& out) {
    for (const auto& [address, one] : table) {
      const auto found = ring.find(address);
      if (found == ring.end()) {
        out << what << " " << std::hex << address << std::dec << ": " << one.text() << " in the table, unknown to the ring\n";
      } else if (found->second != one) {
        out << what << " " << std::hex << address << std::dec << ": " << one.text() << " in the table, " << found->second.text()
            << " by the ring\n";
      }
    }
    for (const auto& [address, one] : ring) {
      if (!table.contains(address)) {
        out << what << " " << std::hex << address << std::dec << ": " << one.text() << " by the ring, not in the table\n";
      }
    }
  }

  std::map<uint64_t, SpanLook> spans_;
  std::map<uint64_t, SampleLook> samples_;
};

}  // namespace liballoc::agent
