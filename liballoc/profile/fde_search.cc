// fde_search.cc - see fde_search.h.
#include "liballoc/profile/fde_search.h"

#include <cstring>

namespace liballoc {

namespace {

// What GNU ld, gold, lld and mold write: version 1, .eh_frame relative to here, a 4-byte count, a
// table of pairs of 4-byte offsets from the header.
constexpr uint8_t kUsualFormat[4] = {1, 0x1b, 0x03, 0x3b};

struct TableRow {
  int32_t function, fde;
};

}  // namespace

FdeSearch search_fde(const UnwindModule& module, uintptr_t pc, FdePlace* out) {
  if (module.header == 0 || module.header % alignof(TableRow) != 0) return FdeSearch::kUnusual;
  const auto* const header = reinterpret_cast<const uint8_t*>(module.header);
  if (memcmp(header, kUsualFormat, sizeof(kUsualFormat)) != 0) return FdeSearch::kUnusual;
  uint32_t rows;
  memcpy(&rows, header + 8, sizeof(rows));
  if (rows == 0) return FdeSearch::kNone;
  const uintptr_t table = module.header + 12;
  if (rows > (module.end - table) / sizeof(TableRow)) return FdeSearch::kUnusual;

  const auto* const row = reinterpret_cast<const TableRow*>(table);
  const auto target = static_cast<int64_t>(pc - module.header);
  if (target < row[0].function) return FdeSearch::kNone;
  uint32_t low = 0;  // row[low].function <= target
  for (uint32_t count = rows; count > 1;) {
    const uint32_t half = count / 2;
    if (row[low + half].function <= target) low += half;
    count -= half;
  }
  out->function = module.header + static_cast<uintptr_t>(static_cast<intptr_t>(row[low].function));
  out->fde = module.header + static_cast<uintptr_t>(static_cast<intptr_t>(row[low].fde));
  return FdeSearch::kCandidate;
}

}  // namespace liballoc
