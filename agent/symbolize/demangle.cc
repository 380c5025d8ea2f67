// demangle.cc - see demangle.h.
#include "agent/symbolize/demangle.h"

#include <cxxabi.h>

#include <bit>
#include <cstdlib>
#include <map>
#include <memory>

#include "agent/symbolize/limits.h"

namespace liballoc::agent {
namespace {

// A mangled name refers back to its own parts (S_, S0_, T_ ...), so n bytes can stand for 2^n. A
// part is fixed once it is complete, so m references to the same one add, and only references to
// different ones multiply: the output has at most length * product(1 + m) bytes, times a pack's
// size for each expansion. Returns log2 of that bound, rounded up.
unsigned growth_bits(std::string_view name) {
  constexpr unsigned kBitsPerPack = 4;
  std::map<std::string_view, unsigned> references;
  unsigned bits = static_cast<unsigned>(std::bit_width(name.size()));
  for (size_t i = 0; i + 1 < name.size(); ++i) {
    if (name[i] == 'D' && name[i + 1] == 'p') bits += kBitsPerPack;
    if (name[i] != 'S' && name[i] != 'T') continue;
    size_t end = i + 1;
    while (end < name.size() &&
           ((name[end] >= '0' && name[end] <= '9') || (name[end] >= 'A' && name[end] <= 'Z'))) {
      ++end;
    }
    if (end < name.size() && name[end] == '_') ++references[name.substr(i, end + 1 - i)];
  }
  for (const auto& [reference, count] : references) {
    bits += static_cast<unsigned>(std::bit_width(count));
  }
  return bits;
}

}  // namespace

std::string demangle(std::string_view name) {
  constexpr unsigned kMaxGrowthBits =
      30;  // reached only by names made for it: real ones stay far below their bound
  std::string plain(name.substr(0, kMaxNameBytes));
  if (!name.starts_with("_Z") || name.size() > kMaxNameBytes) return plain;
  if (growth_bits(name) > kMaxGrowthBits) return plain;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(
      abi::__cxa_demangle(plain.c_str(), nullptr, nullptr, &status), std::free);
  if (status != 0 || text == nullptr) return plain;
  return std::string(std::string_view(text.get()).substr(0, kMaxNameBytes));
}

}  // namespace liballoc::agent
