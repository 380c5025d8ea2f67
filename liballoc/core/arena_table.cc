// arena_table.cc - the arena map's entries: see runtime.h. Alone here, so that it can be linked behind all small variables.
#include "liballoc/core/runtime.h"

namespace liballoc {

constinit ArenaMap::Entry g_arena_table[kArenaEntries] = {};

}  // namespace liballoc
