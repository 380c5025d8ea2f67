// labels.h - the key=value labels of the calling thread. They live with the thread's record; only a sample that is taken while
// they are set brings them into the segment, so setting one is a copy and no more.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/core/thread.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

struct ThreadLabels {
  uint32_t count;
  uint32_t set;  // their number in the segment; 0: not looked up since they or the segment changed
  // By ascending key, no key twice; behind the end of each string all bytes are 0; no hash.
  liballoc_abi_label labels[LIBALLOC_ABI_LABELS_PER_SET];
};

// 0, or what is to be errno: EINVAL, ENAMETOOLONG, ENOSPC, ENOMEM, ESRCH, EAGAIN as docs of liballoc_set_label say. `value` null
// takes the label away.
[[nodiscard]] int set_label(const char* key, const char* value);
// The value, NUL-terminated, and its length. 0, or what is to be errno: EINVAL, ENOENT, ERANGE, EAGAIN.
[[nodiscard]] int get_label(const char* key, char* out, size_t bytes, size_t* length);
[[nodiscard]] int clear_labels();

// The number of what the thread carries in the segment; 0: nothing, or no room. Inside a slow path.
uint32_t label_set_of(Thread& thread);
// The thread ends, or what it carried is not known to be whole.
void drop_labels(Thread& thread);
// Another segment numbers them anew.
void forget_label_set(Thread& thread);

}  // namespace liballoc
