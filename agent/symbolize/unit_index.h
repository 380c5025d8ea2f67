// unit_index.h - one compilation unit of DWARF: which functions, inlined ones included, and which
// line an address has.
//
// Made by one walk over the unit's entries and its line table; then each lookup is two binary
// searches and a walk up the scopes (dwarf_getscopes walks the whole unit for each address). Not
// thread-safe: names are read on first use.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/range_map.h"
#include "agent/model/symbol_source.h"

namespace liballoc::agent {

class UnitIndex {
 public:
  // `unit` is of a Dwarf that outlives the index. Adds what it walked over to `dies_visited`.
  UnitIndex(Dwarf_Die unit, uint64_t& dies_visited);

  // Innermost first; `address` is an ELF virtual address. Empty when the unit does not cover it. A
  // frame has an empty `function` where only the line is known.
  [[nodiscard]] std::vector<SourceFrame> lookup(uint64_t address);

  [[nodiscard]] size_t memory_bytes() const;

 private:
  static constexpr uint32_t kNoScope = UINT32_MAX;

  struct Scope {
    uint32_t parent = kNoScope;  // the scope that this one was inlined into
    uint32_t call_file = 0;      // of an inlined one: where it was called
    uint32_t call_line = 0;
    int32_t name = -1;  // index into names_, -1 = not read yet
    Dwarf_Die die{};
  };
  struct Context {    // a namespace or class that functions are declared in
    uint32_t parent;  // index into contexts_, 0 = the outermost, which has no name
    Dwarf_Die die;
  };
  struct Declared {
    Dwarf_Off function;  // offset of its entry
    uint32_t context;
  };
  struct FunctionName {
    std::string function, system_name;
    int64_t start_line = 0;
  };
  struct Row {
    uint64_t address;
    uint32_t file;  // index into the unit's file table
    int32_t line;   // -1 ends a sequence: no line from here on
  };

  void walk(Dwarf_Die unit, uint64_t& dies_visited);
  uint32_t add_scope(Dwarf_Die* die, uint32_t parent, std::vector<RangeMap::Range>& ranges);
  void read_lines(Dwarf_Die* unit);
  const Row* find_row(uint64_t address) const;
  const FunctionName& name_of(Scope& scope);
  [[nodiscard]] std::string qualified_name(Dwarf_Die function, std::string_view plain) const;
  [[nodiscard]] std::string file_name(uint32_t file) const;

  std::vector<Scope> scopes_;
  RangeMap scope_at_;
  std::vector<FunctionName> names_;
  std::vector<Context> contexts_;
  std::vector<Declared> declared_;  // functions without a linkage name, in the file's order
  std::vector<Row> rows_;
  Dwarf_Files* files_ = nullptr;  // owned by the Dwarf
  size_t file_count_ = 0;
  std::string compile_directory_;
};

}  // namespace liballoc::agent
