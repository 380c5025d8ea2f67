// module_table.cc - see module_table.h. A linear walk: modules are few, and only a stack never seen
// before comes here.
#include "liballoc/telemetry/module_table.h"

#include <cstring>

#include "liballoc/base/atomic.h"

namespace liballoc {

void ModuleTable::note(const liballoc_abi_module& found, const char* executable, uint64_t now_ns) {
  liballoc_abi_module value = found;
  if (value.path_bytes == 0) {
    const size_t length = strnlen(executable, sizeof(value.path) - 1);
    memcpy(value.path, executable, length);
    memset(value.path + length, 0, sizeof(value.path) - length);
    value.path_bytes = static_cast<uint32_t>(length);
  }
  value.loaded_ns = now_ns;
  value.unloaded_ns = 0;
  for (uint32_t i = 0; i < table_.used(); i++) {
    auto* const known = table_.record<liballoc_abi_module>(i);
    if (known->unloaded_ns != 0 || known->end <= value.start || known->start >= value.end) continue;
    if (known->start == value.start && known->end == value.end &&
        known->file_offset == value.file_offset && known->build_id_bytes == value.build_id_bytes &&
        memcmp(known->build_id, value.build_id, sizeof(value.build_id)) == 0 &&
        strncmp(known->path, value.path, sizeof(value.path)) == 0) {
      return;
    }
    store_relaxed(&known->unloaded_ns, now_ns);
  }
  if (!table_.reserve(1)) {
    table_.count_dropped();
    return;
  }
  const uint32_t number = table_.take();
  memcpy(table_.record<liballoc_abi_module>(number), &value, sizeof(value));
  table_.publish(number);
}

}  // namespace liballoc
