// module_table.h - the loaded files that stacks lead into: one record per executable segment ever
// seen. A record whose place another module has taken gets its unloaded_ns and stays. Guarded by
// the segment's telemetry lock.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/telemetry/record_table.h"

namespace liballoc {

class ModuleTable {
 public:
  constexpr ModuleTable() = default;

  bool open(SegmentSpace* space) { return table_.open(space); }
  void close() { table_.close(); }

  // `executable` is the path of a module that names none: the main program.
  void note(const liballoc_abi_module& found, const char* executable, uint64_t now_ns);

  static constexpr uint32_t kInitial = 4;

 private:
  RecordTable table_{LIBALLOC_SECTION_MODULES, sizeof(liballoc_abi_module), kInitial};
};

}  // namespace liballoc
