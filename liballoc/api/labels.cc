// labels.cc - the functions of <liballoc/labels.h>.
#include "liballoc/labels.h"

#include <errno.h>

#include "liballoc/api/lifecycle.h"
#include "liballoc/base/compiler.h"
#include "liballoc/core/labels.h"
#include "liballoc/telemetry_abi.h"

static_assert(LIBALLOC_LABEL_KEY_MAX + 1 == LIBALLOC_ABI_LABEL_KEY_BYTES);
static_assert(LIBALLOC_LABEL_VALUE_MAX + 1 == LIBALLOC_ABI_LABEL_VALUE_BYTES);
static_assert(LIBALLOC_LABELS_MAX == LIBALLOC_ABI_LABELS_PER_SET);

namespace {

LIBALLOC_NEEDS_LIFECYCLE;

int result(int error, int value = 0) {
  if (error == 0) return value;
  errno = error;
  return -1;
}

}  // namespace

extern "C" {

const char liballoc_labels = 0;

LIBALLOC_EXPORT int liballoc_set_label(const char* key, const char* value) { return result(liballoc::set_label(key, value)); }

LIBALLOC_EXPORT int liballoc_get_label(const char* key, char* buffer, size_t bytes) {
  size_t length = 0;
  const int error = liballoc::get_label(key, buffer, bytes, &length);
  return result(error, static_cast<int>(length));
}

LIBALLOC_EXPORT int liballoc_clear_labels(void) { return result(liballoc::clear_labels()); }

}  // extern "C"
