// reader_targets.cc - the list of the agent's fuzz drivers.
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/reader_drivers.h"

namespace liballoc {

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr FuzzTarget kTargets[] = {
      {"reader_header", 8192, agent::drive_reader_header},
      {"reader_section", 16384, agent::drive_reader_section},
      {"reader_file", 65536, agent::drive_reader_file},
      {"reader_live", 4096, agent::drive_reader_live},
      {"reader_ring", 4096, agent::drive_reader_ring},
  };
  return kTargets;
}

}  // namespace liballoc
