// dwarf_index.cc - see dwarf_index.h.
#include "agent/symbolize/dwarf_index.h"

#include <dwarf.h>
#include <elfutils/libdwelf.h>

#include <span>

#include "agent/base/text.h"
#include "agent/symbolize/limits.h"

namespace liballoc::agent {

DwarfIndex::~DwarfIndex() {
  // dwarf_end() also frees what the units' indexes point to, so they go first.
  units_.clear();
  dwarf_end(dwarf_);
  dwarf_end(alternate_);
}

bool DwarfIndex::within_limits(const ElfImage& image) {
  if (image.section(".debug_info") == nullptr) return false;
  return image.section_bytes(".debug_") <= kMaxDebugBytes &&
         image.section_bytes(".debug_line") <= kMaxLineBytes;
}

bool DwarfIndex::begin(const ElfImage& image) {
  dwarf_ = dwarf_begin_elf(image.elf(), DWARF_C_READ, nullptr);
  section_bytes_ = image.section_bytes(".debug_");
  return dwarf_ != nullptr;
}

bool DwarfIndex::alternate_link(std::string& build_id, std::string& path) const {
  const char* name = nullptr;
  const void* id = nullptr;
  const ssize_t id_bytes = dwelf_dwarf_gnu_debugaltlink(dwarf_, &name, &id);
  if (id_bytes == 0) return false;
  // A broken link is a link too: without an answer libdw would open the path by itself.
  if (id_bytes > 0) {
    build_id = to_hex(std::span(static_cast<const uint8_t*>(id), static_cast<size_t>(id_bytes)));
    path = name;
  }
  return true;
}

bool DwarfIndex::set_alternate(std::unique_ptr<ElfImage> image) {
  if (image == nullptr || image->section_bytes(".debug_") > kMaxDebugBytes) return false;
  alternate_ = dwarf_begin_elf(image->elf(), DWARF_C_READ, nullptr);
  if (alternate_ == nullptr) return false;
  section_bytes_ += image->section_bytes(".debug_");
  alternate_image_ = std::move(image);
  dwarf_setalt(dwarf_, alternate_);
  return true;
}

void DwarfIndex::read_units() {
  std::vector<RangeMap::Range> ranges;
  Dwarf_CU* unit = nullptr;
  Dwarf_Half version = 0;
  uint8_t type = 0;
  Dwarf_Die die;
  while (units_.size() < kMaxUnits &&
         dwarf_get_units(dwarf_, unit, &unit, &version, &type, &die, nullptr) == 0) {
    // Skeletons are left out: their other half is in a file that only the builder's machine has.
    if (type != DW_UT_compile) continue;
    const uint32_t number = static_cast<uint32_t>(units_.size());
    const size_t first = ranges.size();
    Dwarf_Addr base = 0, start = 0, end = 0;
    ptrdiff_t next = 0;
    while (ranges.size() - first < kMaxRangesPerUnit &&
           (next = dwarf_ranges(&die, next, &base, &start, &end)) > 0) {
      if (start != 0 && end > start) ranges.push_back({start, end, 0, number});
    }
    if (ranges.size() != first) units_.push_back({die, nullptr});
  }
  unit_at_ = RangeMap::build(ranges);
}

std::vector<SourceFrame> DwarfIndex::lookup(uint64_t address) {
  const uint32_t number = unit_at_.find(address);
  if (number >= units_.size()) return {};
  Unit& unit = units_[number];
  if (unit.index == nullptr) {
    unit.index = std::make_unique<UnitIndex>(unit.die, counters_.dies_visited);
    ++counters_.units_indexed;
  }
  return unit.index->lookup(address);
}

size_t DwarfIndex::memory_bytes() const {
  size_t bytes = section_bytes_ + units_.capacity() * sizeof(Unit) + unit_at_.memory_bytes();
  for (const Unit& unit : units_) {
    if (unit.index != nullptr) bytes += unit.index->memory_bytes();
  }
  return bytes;
}

}  // namespace liballoc::agent
