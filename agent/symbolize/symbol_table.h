// symbol_table.h - the function symbols of one file, sorted, in memory of its own.
//
// libdwfl scans all symbols for each address; this is one binary search. Immutable after build():
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/range_map.h"
#include "agent/symbolize/elf_image.h"

namespace liballoc::agent {

class SymbolTable {
 public:
  SymbolTable() = default;

  // Functions of .symtab; where there is none, of .dynsym. Empty when there is neither or the
  // tables are beyond limits.
  [[nodiscard]] static SymbolTable build(const ElfImage& image);

  // Mangled name of the function at an ELF virtual address; "" where no symbol covers it. Valid as
  // long as the table.
  [[nodiscard]] std::string_view find(uint64_t address) const;

  [[nodiscard]] size_t size() const { return names_.size(); }
  [[nodiscard]] size_t memory_bytes() const;

 private:
  struct Name {
    uint32_t offset, length;  // in text_
  };
  RangeMap ranges_;  // value = index into names_
  std::vector<Name> names_;
  std::string text_;
};

}  // namespace liballoc::agent
