// pc_table.cc - see pc_table.h.
#include "agent/pprof/pc_table.h"

#include <algorithm>

#include "agent/pprof/allocator_frames.h"

namespace liballoc::agent {
namespace {

constexpr uint64_t kPage = 4096;

// Index of the main executable's first mapping, modules.size() when it is not known.
size_t find_executable(const Snapshot& snapshot) {
  const std::vector<Module>& modules = snapshot.modules;
  size_t found = modules.size();
  for (size_t i = 0; i < modules.size(); ++i) {
    if (modules[i].path != snapshot.identity.executable || modules[i].path.empty()) continue;
    if (found == modules.size() || modules[i].start < modules[found].start) found = i;
  }
  return found;
}

}  // namespace

PcTable::PcTable(const Snapshot& snapshot, SymbolSource* symbols)
    : snapshot_(snapshot), symbols_(symbols) {
  const std::vector<Module>& modules = snapshot.modules;
  const size_t executable = find_executable(snapshot);
  const auto add = [this](const Module& m) {
    mappings_.push_back(
        {m.start, m.end, m.file_offset, m.path.empty() ? "[anon]" : m.path, m.build_id});
  };
  mapping_of_module_.resize(modules.size());
  if (executable < modules.size()) {
    add(modules[executable]);
  } else {
    mappings_.push_back({0, 0, 0, snapshot.identity.executable, snapshot.identity.build_id});
  }
  std::vector<RangeMap::Range> ranges;
  ranges.reserve(modules.size());
  for (size_t i = 0; i < modules.size(); ++i) {
    if (i != executable) {
      mapping_of_module_[i] = static_cast<uint32_t>(mappings_.size());
      add(modules[i]);
    }
    // What is mapped now hides what was unmapped, and that hides what was unmapped before it.
    const uint64_t priority = modules[i].unloaded_unix_ns == 0
                                  ? UINT64_MAX
                                  : static_cast<uint64_t>(modules[i].unloaded_unix_ns);
    ranges.push_back({modules[i].start, modules[i].end, priority, static_cast<uint32_t>(i)});
  }
  module_at_ = RangeMap::build(ranges);
}

uint32_t PcTable::intern(uint64_t pc) {
  const auto [it, added] = index_.try_emplace(pc, static_cast<uint32_t>(pcs_.size()));
  if (!added) return it->second;
  PcInfo info;
  info.pc = pc;
  info.call = pc == 0 ? 0 : pc - 1;
  info.mapping = kUnmapped;
  const uint32_t module_index = module_at_.find(info.call);
  if (module_index != RangeMap::kNone) {
    const Module& module = snapshot_.modules[module_index];
    info.mapping = mapping_of_module_[module_index];
    if (symbols_ != nullptr) info.frames = symbols_->lookup(module, info.call);
    info.allocator = is_allocator_module(module.path) ||
                     (!info.frames.empty() && is_allocator_function(info.frames.back().function));
  }
  pcs_.push_back(std::move(info));
  return it->second;
}

void PcTable::close() {
  // A cluster is a run of uncovered pcs with no module between them.
  std::vector<uint64_t> module_starts;
  module_starts.reserve(snapshot_.modules.size());
  for (const Module& m : snapshot_.modules) module_starts.push_back(m.start);
  std::sort(module_starts.begin(), module_starts.end());
  std::vector<uint32_t> uncovered;
  for (uint32_t i = 0; i < pcs_.size(); ++i) {
    if (pcs_[i].mapping == kUnmapped) uncovered.push_back(i);
  }
  std::sort(uncovered.begin(), uncovered.end(),
            [this](uint32_t a, uint32_t b) { return pcs_[a].call < pcs_[b].call; });
  auto next_module = module_starts.begin();
  bool open = false;
  for (uint32_t i : uncovered) {
    const uint64_t call = pcs_[i].call;
    while (next_module != module_starts.end() && *next_module < call) {
      ++next_module;
      open = false;
    }
    const uint64_t page = call - call % kPage;
    if (!open) mappings_.push_back({page, 0, 0, "[anon]", ""});
    open = true;
    // The top page ends at 2^64, which does not fit.
    mappings_.back().end = page > UINT64_MAX - kPage ? UINT64_MAX : page + kPage;
    pcs_[i].mapping = static_cast<uint32_t>(mappings_.size() - 1);
  }
}

}  // namespace liballoc::agent
