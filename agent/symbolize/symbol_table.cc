// symbol_table.cc - see symbol_table.h.
#include "agent/symbolize/symbol_table.h"

#include <gelf.h>

#include <algorithm>
#include <cstring>

#include "agent/symbolize/limits.h"

namespace liballoc::agent {
namespace {

struct Symbol {
  uint64_t start, end;
  uint32_t name_offset, name_length;
  uint8_t rank;  // among symbols of one address the highest gives the name
};

// Names that people know first: malloc before __libc_malloc, and a global name before a local
// alias.
uint8_t rank_of(const GElf_Sym& symbol, std::string_view name) {
  uint8_t rank = 0;
  if (symbol.st_size != 0) rank += 8;
  if (GELF_ST_TYPE(symbol.st_info) != STT_NOTYPE) rank += 4;
  if (GELF_ST_BIND(symbol.st_info) != STB_LOCAL) rank += 2;
  if (name.starts_with("_Z") || !name.starts_with('_')) rank += 1;
  return rank;
}

bool is_function(const GElf_Sym& symbol) {
  const unsigned type = GELF_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS && symbol.st_value != 0 &&
         (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

struct TextSection {
  uint64_t start, end;
};

// Executable sections: where a symbol without a size must end, and where one without a type can be
// code.
std::vector<TextSection> text_sections(Elf* elf) {
  std::vector<TextSection> sections;
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(scn, &header) == nullptr || (header.sh_flags & SHF_EXECINSTR) == 0) continue;
    uint64_t end = 0;
    if (__builtin_add_overflow(header.sh_addr, header.sh_size, &end)) continue;
    sections.push_back({header.sh_addr, end});
  }
  std::sort(sections.begin(), sections.end(),
            [](const TextSection& a, const TextSection& b) { return a.start < b.start; });
  return sections;
}

Elf_Scn* find_table(Elf* elf, uint32_t type, GElf_Shdr& header) {
  Elf_Scn* scn = nullptr;
  while ((scn = elf_nextscn(elf, scn)) != nullptr) {
    if (gelf_getshdr(scn, &header) != nullptr && header.sh_type == type) return scn;
  }
  return nullptr;
}

// A symbol without a size reaches to the next symbol, within its section.
void set_missing_ends(std::vector<Symbol>& symbols, const std::vector<TextSection>& sections) {
  uint64_t next_start = UINT64_MAX;
  uint64_t start = UINT64_MAX;
  for (auto it = symbols.rbegin(); it != symbols.rend(); ++it) {
    if (it->start != start) {
      next_start = start;
      start = it->start;
    }
    if (it->end != it->start) continue;
    auto section = std::upper_bound(sections.begin(), sections.end(), it->start,
                                    [](uint64_t a, const TextSection& s) { return a < s.start; });
    if (section == sections.begin()) continue;
    --section;
    if (it->start < section->end) it->end = std::min(next_start, section->end);
  }
}

}  // namespace

SymbolTable SymbolTable::build(const ElfImage& image) {
  SymbolTable table;
  Elf* elf = image.elf();
  GElf_Shdr header;
  Elf_Scn* scn = find_table(elf, SHT_SYMTAB, header);
  Elf_Data* data = scn == nullptr ? nullptr : elf_getdata(scn, nullptr);
  if (data == nullptr || data->d_size == 0) {
    scn = find_table(elf, SHT_DYNSYM, header);
    data = scn == nullptr ? nullptr : elf_getdata(scn, nullptr);
  }
  if (data == nullptr || header.sh_entsize == 0 || header.sh_size > kMaxSymbolBytes) return table;
  const size_t count = std::min<size_t>(data->d_size / header.sh_entsize, kMaxSymbols);
  const std::vector<TextSection> sections = text_sections(elf);
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < count; ++i) {
    GElf_Sym symbol;
    if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
    if (!is_function(symbol)) continue;
    if (GELF_ST_TYPE(symbol.st_info) == STT_NOTYPE) {  // a label in assembly, or data
      const bool code = std::any_of(sections.begin(), sections.end(), [&](const TextSection& s) {
        return s.start <= symbol.st_value && symbol.st_value < s.end;
      });
      if (!code) continue;
    }
    const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
    if (name == nullptr) continue;
    const size_t length = strnlen(name, kMaxNameBytes);
    if (length == 0 || table.text_.size() + length > kMaxSymbolBytes) continue;
    uint64_t end = 0;
    if (__builtin_add_overflow(symbol.st_value, symbol.st_size, &end)) continue;
    symbols.push_back({symbol.st_value, end, static_cast<uint32_t>(table.text_.size()),
                       static_cast<uint32_t>(length), rank_of(symbol, {name, length})});
    table.text_.append(name, length);
  }
  // By address, and the best name of an address last: RangeMap prefers the later of equal
  // priorities.
  std::stable_sort(symbols.begin(), symbols.end(), [](const Symbol& a, const Symbol& b) {
    return a.start != b.start ? a.start < b.start : a.rank < b.rank;
  });
  set_missing_ends(symbols, sections);
  std::vector<RangeMap::Range> ranges;
  ranges.reserve(symbols.size());
  table.names_.reserve(symbols.size());
  for (const Symbol& s : symbols) {
    // Priority by start: of nested symbols the inner one names the address.
    ranges.push_back({s.start, s.end, s.start, static_cast<uint32_t>(table.names_.size())});
    table.names_.push_back({s.name_offset, s.name_length});
  }
  table.ranges_ = RangeMap::build(ranges);
  table.text_.shrink_to_fit();
  return table;
}

std::string_view SymbolTable::find(uint64_t address) const {
  const uint32_t index = ranges_.find(address);
  if (index == RangeMap::kNone) return "";
  return std::string_view(text_).substr(names_[index].offset, names_[index].length);
}

size_t SymbolTable::memory_bytes() const {
  return ranges_.memory_bytes() + names_.capacity() * sizeof(Name) + text_.capacity();
}

}  // namespace liballoc::agent
