// dump_sections.h - the parts of a dump: what was read of a segment, and a printer for each
// section.
//
// The printers are pure functions of a Dump, which holds copies only. Must never print a string of
// a process unescaped.
#pragma once

#include <optional>
#include <ostream>
#include <vector>

#include "agent/reader/byte_source.h"
#include "agent/reader/layout.h"
#include "agent/reader/segment_reader.h"

namespace liballoc::agent {

struct Dump {
  Layout layout;
  std::vector<liballoc_abi_section> directory;  // also of kinds that this version does not know
  std::vector<liballoc_abi_thread> threads;
  SegmentReading reading;
  std::optional<bool> alive;  // whether a process holds the lock; nothing = the kernel does not say
};

ReadResult<std::vector<liballoc_abi_section>> read_directory(const ByteSource& source,
                                                             const Layout& layout);
ReadResult<std::vector<liballoc_abi_thread>> read_threads(const ByteSource& source,
                                                          const Layout& layout);

void dump_header(const Dump& dump, std::ostream& out);
void dump_directory(const Dump& dump, std::ostream& out);
void dump_identity(const Dump& dump, std::ostream& out);
void dump_memstats(const Dump& dump, std::ostream& out);
void dump_size_classes(const Dump& dump, std::ostream& out);
void dump_threads(const Dump& dump, std::ostream& out);
void dump_spans(const Dump& dump, std::ostream& out);
void dump_stacks(const Dump& dump, std::ostream& out);
void dump_buckets(const Dump& dump, std::ostream& out);
void dump_labels(const Dump& dump, std::ostream& out);
void dump_peak(const Dump& dump, std::ostream& out);
void dump_samples(const Dump& dump, std::ostream& out);
void dump_modules(const Dump& dump, std::ostream& out);
void dump_ring(const Dump& dump, std::ostream& out);
void dump_faults(const Dump& dump, std::ostream& out);
void dump_health(const Dump& dump, std::ostream& out);

}  // namespace liballoc::agent
