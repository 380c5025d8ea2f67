// module_symbols.cc - see module_symbols.h.
#include "agent/symbolize/module_symbols.h"

#include "agent/symbolize/demangle.h"
#include "agent/symbolize/mini_debug_info.h"

namespace liballoc::agent {

void ModuleSymbols::open_locked() {
  if (opened_) return;
  opened_ = true;
  growth_.store(1, std::memory_order_relaxed);
  std::unique_ptr<ElfImage> module = files_.open_module(path_, build_id_);
  std::unique_ptr<ElfImage> debug;
  if (module != nullptr) segments_ = module->load_segments();
  const bool complete = module != nullptr && module->section(".debug_info") != nullptr &&
                        module->section(".symtab") != nullptr;
  if (!complete) debug = files_.open_debug(module.get(), path_, build_id_);
  found_.store(module != nullptr || debug != nullptr, std::memory_order_relaxed);
  if (debug != nullptr) symbols_ = SymbolTable::build(*debug);
  if (module != nullptr && symbols_.size() == 0) symbols_ = SymbolTable::build(*module);
  if (module != nullptr && debug == nullptr && module->section(".symtab") == nullptr) {
    std::string mini = read_mini_debug_info(*module);
    const std::unique_ptr<ElfImage> image = mini.empty() ? nullptr : ElfImage::from_memory(mini);
    if (image != nullptr) hidden_symbols_ = SymbolTable::build(*image);
  }
  const auto find_alternate = [this](const std::string& build_id, const std::string& path) {
    return files_.open_alternate(build_id, path);
  };
  if (debug != nullptr) dwarf_ = DwarfIndex::open(debug, find_alternate);
  if (dwarf_ == nullptr && module != nullptr) dwarf_ = DwarfIndex::open(module, find_alternate);
}

uint64_t ModuleSymbols::elf_address_locked(const Module& module, uint64_t address) const {
  // A bias of 0 is a program at a fixed address, or unknown: the file's segments tell both.
  if (module.load_bias == 0) {
    const uint64_t offset = address - module.start + module.file_offset;
    for (const LoadSegment& s : segments_) {
      if (offset < s.file_offset || offset - s.file_offset >= s.file_bytes) continue;
      return s.address + (offset - s.file_offset);
    }
  }
  return address - module.load_bias;
}

std::vector<SourceFrame> ModuleSymbols::lookup(const Module& module, uint64_t address) {
  const std::lock_guard lock(mutex_);
  open_locked();
  if (!found()) return {};
  const uint64_t elf_address = elf_address_locked(module, address);
  std::vector<SourceFrame> frames;
  if (dwarf_ != nullptr) {
    frames = dwarf_->lookup(elf_address);
    // + 1 for what open_locked() read.
    growth_.store(dwarf_->counters().units_indexed + 1, std::memory_order_relaxed);
  }
  if (!frames.empty() && !frames.back().system_name.empty()) return frames;
  // DWARF has no linkage name for C and for static functions; the symbol table has the parameters
  // of the latter.
  std::string_view symbol = symbols_.find(elf_address);
  if (symbol.empty()) symbol = hidden_symbols_.find(elf_address);
  if (symbol.empty()) {
    if (!frames.empty() && frames.back().function.empty()) frames.clear();
    return frames;
  }
  if (frames.empty()) frames.emplace_back();
  SourceFrame& outermost = frames.back();
  outermost.system_name = symbol;
  if (outermost.function.empty() || symbol.starts_with("_Z")) outermost.function = demangle(symbol);
  return frames;
}

ModuleSymbolsStats ModuleSymbols::stats() const {
  const std::lock_guard lock(mutex_);
  ModuleSymbolsStats stats;
  stats.files_opened = files_.files_opened();
  stats.symbols = symbols_.size() + hidden_symbols_.size();
  stats.memory_bytes = sizeof(*this) + symbols_.memory_bytes() + hidden_symbols_.memory_bytes();
  if (dwarf_ != nullptr) {
    stats.dwarf = dwarf_->counters();
    stats.memory_bytes += dwarf_->memory_bytes();
  }
  return stats;
}

}  // namespace liballoc::agent
