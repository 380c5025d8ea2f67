// module_symbols.h - all that is known of one build id: symbol table and DWARF, from its file and
// its debug files.
//
// Opened at most once, on the first lookup. Thread-safe: one lock per module.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "agent/model/symbol_source.h"
#include "agent/symbolize/debug_files.h"
#include "agent/symbolize/dwarf_index.h"
#include "agent/symbolize/symbol_table.h"

namespace liballoc::agent {

struct ModuleSymbolsStats {
  uint64_t files_opened = 0;
  uint64_t symbols = 0;
  size_t memory_bytes = 0;
  DwarfCounters dwarf;
};

class ModuleSymbols {
 public:
  ModuleSymbols(const SymbolPaths& paths, std::string path, std::string build_id)
      : files_(paths), path_(std::move(path)), build_id_(std::move(build_id)) {}

  // As SymbolSource::lookup; of `module` only the place in memory is used.
  [[nodiscard]] std::vector<SourceFrame> lookup(const Module& module, uint64_t address);

  // Was there any file of this build id, as of the first lookup? No lock.
  [[nodiscard]] bool found() const { return found_.load(std::memory_order_relaxed); }
  // Changes whenever this may have come to use more memory. No lock.
  [[nodiscard]] uint64_t growth() const { return growth_.load(std::memory_order_relaxed); }
  [[nodiscard]] ModuleSymbolsStats stats() const;

 private:
  void open_locked();
  [[nodiscard]] uint64_t elf_address_locked(const Module& module, uint64_t address) const;

  std::atomic<bool> found_ = false;   // written under the lock
  std::atomic<uint64_t> growth_ = 0;  // likewise
  mutable std::mutex mutex_;          // guards everything below
  DebugFiles files_;
  const std::string path_, build_id_;
  bool opened_ = false;
  SymbolTable symbols_;
  SymbolTable hidden_symbols_;  // of .gnu_debugdata: what .dynsym leaves out
  std::unique_ptr<DwarfIndex> dwarf_;
  std::vector<LoadSegment> segments_;  // of the module's own file; empty when that is gone
};

}  // namespace liballoc::agent
