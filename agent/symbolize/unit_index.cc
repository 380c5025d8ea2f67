// unit_index.cc - see unit_index.h.
#include "agent/symbolize/unit_index.h"

#include <dwarf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "agent/symbolize/demangle.h"
#include "agent/symbolize/limits.h"

namespace liballoc::agent {
namespace {

uint32_t number(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute storage;
  Dwarf_Word value = 0;
  if (dwarf_attr(die, attribute, &storage) == nullptr) return 0;
  if (dwarf_formudata(&storage, &value) != 0 || value > INT32_MAX) return 0;
  return static_cast<uint32_t>(value);
}

// Following abstract_origin and specification, as the name of an inlined or out-of-line function is
// there.
std::string_view inherited_string(Dwarf_Die* die, unsigned attribute) {
  Dwarf_Attribute storage;
  const char* text = dwarf_formstring(dwarf_attr_integrate(die, attribute, &storage));
  return text == nullptr ? "" : std::string_view(text, strnlen(text, kMaxNameBytes));
}

bool is_context(int tag) {
  return tag == DW_TAG_namespace || tag == DW_TAG_class_type || tag == DW_TAG_structure_type ||
         tag == DW_TAG_union_type || tag == DW_TAG_module;
}

// Entries that can hold code of this unit further down.
bool may_hold_scopes(int tag) {
  switch (tag) {
    case DW_TAG_compile_unit:
    case DW_TAG_subprogram:
    case DW_TAG_inlined_subroutine:
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_with_stmt:
      return true;
    default:
      return is_context(tag);
  }
}

}  // namespace

UnitIndex::UnitIndex(Dwarf_Die unit, uint64_t& dies_visited) {
  walk(unit, dies_visited);
  read_lines(&unit);
  Dwarf_Attribute storage;
  const char* directory = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &storage));
  if (directory != nullptr) compile_directory_.assign(directory, strnlen(directory, kMaxNameBytes));
}

uint32_t UnitIndex::add_scope(Dwarf_Die* die, uint32_t parent,
                              std::vector<RangeMap::Range>& ranges) {
  const uint32_t index = static_cast<uint32_t>(scopes_.size());
  Dwarf_Addr base = 0, start = 0, end = 0;
  ptrdiff_t next = 0;
  bool any = false;
  while (ranges.size() < kMaxRangesPerUnit &&
         (next = dwarf_ranges(die, next, &base, &start, &end)) > 0) {
    if (end <= start || start == 0) continue;  // code that the linker left out stays at 0
    ranges.push_back({start, end, 0, index});
    any = true;
  }
  if (!any) return parent;
  Scope scope;
  scope.die = *die;
  if (dwarf_tag(die) == DW_TAG_inlined_subroutine) {
    scope.parent = parent;
    scope.call_file = number(die, DW_AT_call_file);
    scope.call_line = number(die, DW_AT_call_line);
  }
  scopes_.push_back(scope);
  return index;
}

void UnitIndex::walk(Dwarf_Die unit, uint64_t& dies_visited) {
  struct Level {
    Dwarf_Die die;
    uint32_t scope;  // the function that this level is in
    uint32_t depth, context;
  };
  std::vector<RangeMap::Range> ranges;
  std::vector<Level> levels;
  uint32_t budget =
      kMaxDiesPerUnit;  // a sibling reference may point backwards: the walk must end all the same
  Dwarf_Die child;
  if (dwarf_child(&unit, &child) == 0) {
    levels.push_back({child, kNoScope, 1, 0});
  }
  contexts_.push_back({0, unit});
  while (!levels.empty() && budget-- > 0) {
    ++dies_visited;
    Dwarf_Die die = levels.back().die;
    const uint32_t outer = levels.back().scope, depth = levels.back().depth;
    uint32_t context = levels.back().context;
    if (dwarf_siblingof(&die, &levels.back().die) != 0) levels.pop_back();
    const int tag = dwarf_tag(&die);
    if (!may_hold_scopes(tag)) continue;
    uint32_t scope = outer;
    if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
      const size_t first = ranges.size();
      scope = add_scope(&die, outer, ranges);
      // Deeper wins; scopes of one depth do not overlap.
      for (size_t i = first; i < ranges.size(); ++i) ranges[i].priority = depth;
    }
    if (is_context(tag)) {
      contexts_.push_back({context, die});
      context = static_cast<uint32_t>(contexts_.size() - 1);
    } else if (context != 0 && tag == DW_TAG_subprogram &&
               dwarf_hasattr(&die, DW_AT_linkage_name) == 0) {
      declared_.push_back({dwarf_dieoffset(&die), context});
    }
    if (depth < kMaxDieDepth && dwarf_haschildren(&die) == 1 && dwarf_child(&die, &child) == 0) {
      levels.push_back({child, scope, depth + 1, context});
    }
  }
  scope_at_ = RangeMap::build(ranges);
  scopes_.shrink_to_fit();
}

void UnitIndex::read_lines(Dwarf_Die* unit) {
  Dwarf_Lines* lines = nullptr;
  size_t count = 0;
  if (dwarf_getsrclines(unit, &lines, &count) != 0) return;
  if (dwarf_getsrcfiles(unit, &files_, &file_count_) != 0) files_ = nullptr;
  count = std::min<size_t>(count, kMaxLineRowsPerUnit);
  rows_.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Dwarf_Line* line = dwarf_onesrcline(lines, i);
    Dwarf_Addr address = 0;
    int number_of_line = 0;
    bool ends = false;
    Dwarf_Files* files = nullptr;
    size_t file = 0;
    if (line == nullptr || dwarf_lineaddr(line, &address) != 0 ||
        dwarf_lineendsequence(line, &ends) != 0) {
      continue;
    }
    if (dwarf_lineno(line, &number_of_line) != 0 || number_of_line < 0) number_of_line = 0;
    if (dwarf_line_file(line, &files, &file) != 0) file = 0;
    rows_.push_back({address, static_cast<uint32_t>(file), ends ? -1 : number_of_line});
  }
  // libdw sorts them; with a hostile file this must not be taken on trust. A sequence's end comes
  // before the start of the next one at the same address.
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) {
    return a.address != b.address ? a.address < b.address : (a.line < 0) > (b.line < 0);
  });
}

const UnitIndex::Row* UnitIndex::find_row(uint64_t address) const {
  auto it = std::upper_bound(rows_.begin(), rows_.end(), address,
                             [](uint64_t a, const Row& row) { return a < row.address; });
  if (it == rows_.begin()) return nullptr;
  --it;
  return it->line < 0 ? nullptr : &*it;
}

std::string UnitIndex::file_name(uint32_t file) const {
  if (files_ == nullptr || file >= file_count_) return "";
  const char* name = dwarf_filesrc(files_, file, nullptr, nullptr);
  if (name == nullptr) return "";
  std::string path(name, strnlen(name, kMaxNameBytes));
  if (path.empty() || path[0] == '/' || compile_directory_.empty()) return path;
  return compile_directory_ + "/" + path;
}

const UnitIndex::FunctionName& UnitIndex::name_of(Scope& scope) {
  if (scope.name >= 0) return names_[static_cast<size_t>(scope.name)];
  FunctionName name;
  std::string_view linkage = inherited_string(&scope.die, DW_AT_linkage_name);
  if (linkage.empty()) linkage = inherited_string(&scope.die, DW_AT_MIPS_linkage_name);
  const std::string_view plain = inherited_string(&scope.die, DW_AT_name);
  name.system_name = linkage;
  name.function = linkage.empty() ? qualified_name(scope.die, plain) : demangle(linkage);
  Dwarf_Attribute storage;
  Dwarf_Word line = 0;
  if (dwarf_formudata(dwarf_attr_integrate(&scope.die, DW_AT_decl_line, &storage), &line) == 0 &&
      line <= INT32_MAX) {
    name.start_line = static_cast<int64_t>(line);
  }
  scope.name = static_cast<int32_t>(names_.size());
  names_.push_back(std::move(name));
  return names_.back();
}

// Compilers leave the linkage name out where nobody else can link: static functions, local classes,
// all of C.
std::string UnitIndex::qualified_name(Dwarf_Die function, std::string_view plain) const {
  constexpr int kMaxReferences = 16;  // they may form a circle
  std::string name(plain);
  if (name.empty()) return name;
  for (int i = 0; i < kMaxReferences; ++i) {
    Dwarf_Attribute storage;
    Dwarf_Die origin;
    Dwarf_Attribute* reference = dwarf_attr(&function, DW_AT_abstract_origin, &storage);
    if (reference == nullptr) reference = dwarf_attr(&function, DW_AT_specification, &storage);
    if (dwarf_formref_die(reference, &origin) == nullptr) break;
    function = origin;
  }
  const Dwarf_Off offset = dwarf_dieoffset(&function);
  const auto it = std::lower_bound(declared_.begin(), declared_.end(), offset,
                                   [](const Declared& d, Dwarf_Off o) { return d.function < o; });
  if (it == declared_.end() || it->function != offset) return name;
  // A context's parent was seen before it, so this ends.
  for (uint32_t c = it->context; c != 0 && name.size() < kMaxNameBytes; c = contexts_[c].parent) {
    Dwarf_Die die = contexts_[c].die;
    const std::string_view part = inherited_string(&die, DW_AT_name);
    name.insert(0, "::");
    if (!part.empty()) {
      name.insert(0, part);
    } else {
      name.insert(0, dwarf_tag(&die) == DW_TAG_namespace ? "(anonymous namespace)" : "{unnamed}");
    }
  }
  return name;
}

std::vector<SourceFrame> UnitIndex::lookup(uint64_t address) {
  std::vector<SourceFrame> frames;
  const Row* row = find_row(address);
  uint32_t file = row == nullptr ? UINT32_MAX : row->file;
  int64_t line = row == nullptr ? 0 : row->line;
  uint32_t index = scope_at_.find(address);
  while (index < scopes_.size() && frames.size() < kMaxInlineDepth) {
    Scope& scope = scopes_[index];
    const FunctionName& name = name_of(scope);
    frames.push_back({name.function, name.system_name, file_name(file), line, name.start_line});
    file = scope.call_file;
    line = scope.call_line;
    index = scope.parent;
  }
  if (frames.empty() && row != nullptr) frames.push_back({"", "", file_name(file), line, 0});
  return frames;
}

size_t UnitIndex::memory_bytes() const {
  constexpr size_t kLibdwRowBytes = 48;  // libdw keeps its own copy of the line table
  size_t bytes = scopes_.capacity() * sizeof(Scope) + scope_at_.memory_bytes() +
                 contexts_.capacity() * sizeof(Context) + declared_.capacity() * sizeof(Declared) +
                 rows_.capacity() * (sizeof(Row) + kLibdwRowBytes);
  for (const FunctionName& n : names_) {
    bytes += sizeof(n) + n.function.capacity() + n.system_name.capacity();
  }
  return bytes;
}

}  // namespace liballoc::agent
