// heap_text.h - a snapshot as the legacy heap profile text (debug=1), for people and old tools.
//
// The figures are what was sampled, not estimates of the whole: readers of this format do the
// scaling themselves, from the average object size and the rate in the first line. So bytes here
// are allocated bytes, which sampling goes by.
#pragma once

#include <string>

#include "agent/model/snapshot.h"
#include "agent/pprof/pc_table.h"

namespace liballoc::agent {

// `pcs` is of the same snapshot and is filled as a side effect.
[[nodiscard]] std::string heap_text(const Snapshot& snapshot, PcTable& pcs);

}  // namespace liballoc::agent
