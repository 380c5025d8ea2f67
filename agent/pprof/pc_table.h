// pc_table.h - every program counter of a profile once: its mapping, its source frames, whether it
// is the allocator.
//
// Program counters are return addresses, so what lies at pc - 1 (the call) decides the mapping and
// the frames. Every pc has a mapping: where no module covers it, an "[anon]" one is made for that
// gap between modules.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/range_map.h"
#include "agent/model/snapshot.h"
#include "agent/model/symbol_source.h"

namespace liballoc::agent {

struct PcInfo {
  uint64_t pc = 0;       // as the stack has it
  uint64_t call = 0;     // inside the call instruction, and so inside the mapping; 0 for pc 0
  uint32_t mapping = 0;  // index into PcTable::mappings()
  bool allocator = false;
  std::vector<SourceFrame> frames;  // innermost first; empty = no symbols
};

struct PcMapping {
  uint64_t start = 0, end = 0, file_offset = 0;
  std::string path, build_id;
};

class PcTable {
 public:
  // Both must outlive the table. `symbols` may be null: no frames then.
  PcTable(const Snapshot& snapshot, SymbolSource* symbols);

  // Index of `pc`, stable. A pc that no module covers has no valid mapping until close().
  [[nodiscard]] uint32_t intern(uint64_t pc);
  // Makes the [anon] mappings. intern() must not be called afterwards.
  void close();

  [[nodiscard]] const PcInfo& at(uint32_t index) const { return pcs_[index]; }
  [[nodiscard]] const std::vector<PcInfo>& pcs() const { return pcs_; }
  // [0] is the main executable, whether or not a pc lies in it.
  [[nodiscard]] const std::vector<PcMapping>& mappings() const { return mappings_; }

 private:
  static constexpr uint32_t kUnmapped = UINT32_MAX;

  const Snapshot& snapshot_;
  SymbolSource* symbols_;
  std::vector<PcMapping> mappings_;
  std::vector<uint32_t> mapping_of_module_;
  RangeMap module_at_;
  std::vector<PcInfo> pcs_;
  std::unordered_map<uint64_t, uint32_t> index_;
};

}  // namespace liballoc::agent
