// symbolizer.cc - see symbolizer.h.
#include "agent/symbolize/symbolizer.h"

namespace liballoc::agent {

std::vector<SourceFrame> Symbolizer::lookup(const Module& module, uint64_t address) {
  if (!is_build_id(module.build_id) || module.path.empty() || module.path[0] != '/') return {};
  // With the path: the file may be missing at one path (a container's) and be there at another.
  const std::string key = module.build_id + ":" + module.path;
  const std::shared_ptr<ModuleSymbols> symbols = find_or_add(module, key);
  std::vector<SourceFrame> frames = symbols->lookup(module, address);
  account(key, symbols);
  return frames;
}

std::shared_ptr<ModuleSymbols> Symbolizer::find_or_add(const Module& module,
                                                       const std::string& key) {
  const std::lock_guard lock(mutex_);
  ++lookups_;
  auto known = index_.find(key);
  if (known != index_.end()) {
    Entry& entry = *known->second;
    const bool stale = entry.growth != 0 && !entry.symbols->found() &&
                       Clock::now() - entry.opened >= options_.retry_missing;
    if (!stale) {
      entries_.splice(entries_.begin(), entries_, known->second);
      return entry.symbols;
    }
    remove_locked(known->second);
  }
  Entry entry;
  entry.key = key;
  entry.symbols = std::make_shared<ModuleSymbols>(options_.paths, module.path, module.build_id);
  entry.opened = Clock::now();
  entries_.push_front(std::move(entry));
  index_[key] = entries_.begin();
  return entries_.front().symbols;
}

void Symbolizer::account(const std::string& key, const std::shared_ptr<ModuleSymbols>& symbols) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = index_.find(key);
    if (it == index_.end() || it->second->symbols != symbols) return;
    if (it->second->growth == symbols->growth()) return;
  }
  const uint64_t growth =
      symbols->growth();  // before the measurement: what comes after is measured again
  const ModuleSymbolsStats measured = symbols->stats();
  const std::lock_guard lock(mutex_);
  const auto it = index_.find(key);
  if (it == index_.end() || it->second->symbols != symbols) return;
  memory_bytes_ = memory_bytes_ - it->second->memory_bytes + measured.memory_bytes;
  it->second->memory_bytes = measured.memory_bytes;
  it->second->growth = growth;
  while (entries_.size() > 1 &&
         (memory_bytes_ > options_.max_bytes || entries_.size() > options_.max_modules)) {
    remove_locked(std::prev(entries_.end()));
    ++evicted_;
  }
}

void Symbolizer::remove_locked(Entries::iterator entry) {
  memory_bytes_ -= entry->memory_bytes;
  index_.erase(entry->key);
  entries_.erase(entry);
}

SymbolizerStats Symbolizer::stats() const {
  std::vector<std::shared_ptr<ModuleSymbols>> modules;
  SymbolizerStats stats;
  {
    const std::lock_guard lock(mutex_);
    stats.lookups = lookups_;
    stats.evicted = evicted_;
    for (const Entry& entry : entries_) modules.push_back(entry.symbols);
  }
  stats.modules = modules.size();
  for (const std::shared_ptr<ModuleSymbols>& module : modules) {
    const ModuleSymbolsStats m = module->stats();
    stats.files_opened += m.files_opened;
    stats.symbols += m.symbols;
    stats.units_indexed += m.dwarf.units_indexed;
    stats.dies_visited += m.dwarf.dies_visited;
    stats.memory_bytes += m.memory_bytes;
  }
  return stats;
}

}  // namespace liballoc::agent
