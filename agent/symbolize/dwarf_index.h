// dwarf_index.h - the DWARF of one file: finds an address's compilation unit, and indexes a unit
// when first asked.
//
// Keeps the file open for as long as it lives. Not thread-safe.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/range_map.h"
#include "agent/model/symbol_source.h"
#include "agent/symbolize/elf_image.h"
#include "agent/symbolize/unit_index.h"

namespace liballoc::agent {

struct DwarfCounters {
  uint64_t units_indexed = 0;
  uint64_t dies_visited = 0;
};

class DwarfIndex {
 public:
  // Null when the file has no usable DWARF: none, beyond limits, or it refers to a file of shared
  // entries
  // (.gnu_debugaltlink) that is not among `alternates`' answers.
  // find_alternate(build id, path) opens such a file, or returns null.
  template <typename FindAlternate>
  [[nodiscard]] static std::unique_ptr<DwarfIndex> open(std::unique_ptr<ElfImage>& image,
                                                        FindAlternate find_alternate) {
    std::unique_ptr<DwarfIndex> index(new DwarfIndex());
    if (!within_limits(*image) || !index->begin(*image)) return nullptr;
    std::string build_id, path;
    if (index->alternate_link(build_id, path) &&
        !index->set_alternate(find_alternate(build_id, path))) {
      return nullptr;
    }
    index->image_ = std::move(image);
    index->read_units();
    return index;
  }

  DwarfIndex(const DwarfIndex&) = delete;
  DwarfIndex& operator=(const DwarfIndex&) = delete;
  ~DwarfIndex();

  // As UnitIndex::lookup.
  [[nodiscard]] std::vector<SourceFrame> lookup(uint64_t address);

  [[nodiscard]] const DwarfCounters& counters() const { return counters_; }
  [[nodiscard]] size_t memory_bytes() const;

 private:
  struct Unit {
    Dwarf_Die die{};
    std::unique_ptr<UnitIndex> index;  // null until an address of the unit is looked up
  };

  DwarfIndex() = default;
  [[nodiscard]] static bool within_limits(const ElfImage& image);
  [[nodiscard]] bool begin(const ElfImage& image);
  [[nodiscard]] bool alternate_link(std::string& build_id, std::string& path) const;
  [[nodiscard]] bool set_alternate(std::unique_ptr<ElfImage> image);
  void read_units();

  std::unique_ptr<ElfImage> image_, alternate_image_;
  Dwarf* dwarf_ = nullptr;
  Dwarf* alternate_ = nullptr;
  std::vector<Unit> units_;
  RangeMap unit_at_;
  uint64_t section_bytes_ = 0;
  DwarfCounters counters_;
};

}  // namespace liballoc::agent
