// symbolizer.h - names, files, lines and inlined frames for addresses of other processes, by build
// id.
//
// A file whose build id is not the module's gives nothing: no name rather than a wrong one. Modules
// without a build id, the vDSO and anonymous memory give nothing. What was read is kept per build
// id, within SymbolizerOptions' bounds, the least recently used going first. Thread-safe; files are
// opened by the thread that asks.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/model/symbol_source.h"
#include "agent/symbolize/debug_files.h"
#include "agent/symbolize/module_symbols.h"

namespace liballoc::agent {

struct SymbolizerOptions {
  SymbolPaths paths;
  size_t max_bytes = size_t{512} << 20;  // of all symbol tables and DWARF kept
  size_t max_modules = 256;              // a module with DWARF keeps up to two descriptors open
  std::chrono::seconds retry_missing{
      60};  // a file that was not there is looked for again after this
};

struct SymbolizerStats {
  uint64_t lookups = 0;
  uint64_t files_opened = 0;  // by modules kept now
  uint64_t symbols = 0;       // likewise, and so on below
  uint64_t units_indexed = 0;
  uint64_t dies_visited = 0;
  uint64_t modules = 0;
  uint64_t memory_bytes = 0;
  uint64_t evicted = 0;  // modules, ever
};

class Symbolizer final : public SymbolSource {
 public:
  explicit Symbolizer(SymbolizerOptions options = {}) : options_(std::move(options)) {}

  [[nodiscard]] std::vector<SourceFrame> lookup(const Module& module, uint64_t address) override;

  [[nodiscard]] SymbolizerStats stats() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    std::string key;
    std::shared_ptr<ModuleSymbols> symbols;
    Clock::time_point opened;
    size_t memory_bytes = 0;  // as of `growth`
    uint64_t growth = 0;      // 0 = never accounted
  };
  using Entries = std::list<Entry>;  // most recently used first

  [[nodiscard]] std::shared_ptr<ModuleSymbols> find_or_add(const Module& module,
                                                           const std::string& key);
  void account(const std::string& key, const std::shared_ptr<ModuleSymbols>& symbols);
  void remove_locked(Entries::iterator entry);

  const SymbolizerOptions options_;
  mutable std::mutex mutex_;  // guards everything below; never held while files are read
  Entries entries_;
  std::unordered_map<std::string, Entries::iterator> index_;
  size_t memory_bytes_ = 0;
  uint64_t lookups_ = 0, evicted_ = 0;
};

}  // namespace liballoc::agent
