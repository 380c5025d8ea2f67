// heap_targets.cc - the list of the library's fuzz drivers.
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/heap_drivers.h"

namespace liballoc {

std::span<const FuzzTarget> fuzz_targets() {
  static constexpr FuzzTarget kTargets[] = {
      {"span", 2048, drive_span},           {"free_tree", 2048, drive_free_tree},
      {"page_heap", 1024, drive_page_heap}, {"thread_cache", 2048, drive_thread_cache},
      {"config", 4096, drive_config},       {"requests", 2048, drive_requests},
  };
  return kTargets;
}

}  // namespace liballoc
