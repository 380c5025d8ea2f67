// symbol_source.h - the question "which functions is this address in?", asked by encoders and answered by symbolizers.
//
// An interface only, so that pprof and symbolize need not know each other. Must never do I/O or own state itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/model/snapshot.h"

namespace liballoc::agent {

struct SourceFrame {
  std::string function;     // demangled, for people
  std::string system_name;  // as the linker knows it (mangled); empty where only the plain name is known
  std::string file;         // empty = unknown
  int64_t line = 0;         // 0 = unknown
  int64_t start_line = 0;   // line of the function's declaration, 0 = unknown
};

class SymbolSource {
 public:
  virtual ~SymbolSource() = default;

  // The frames at `address`, innermost inlined function first; empty = unknown. `address` is in the memory of the
  // process that had `module` mapped and lies inside the call instruction (return address - 1). Thread-safe.
  virtual std::vector<SourceFrame> lookup(const Module& module, uint64_t address) = 0;
};

}  // namespace liballoc::agent
