// labels.cc - see labels.h. Everything that changes a thread's labels runs inside a slow path of the thread: a sample that a
// signal handler's malloc would take meanwhile is refused there, so none meets them halfway.
#include "liballoc/core/labels.h"

#include <errno.h>

#include <cstring>

#include "liballoc/core/runtime.h"
#include "liballoc/core/slow_path.h"
#include "liballoc/meta/persistent_alloc.h"

namespace liballoc {

namespace {

constexpr char kReservedPrefix[] = "pprof::";
constexpr char kReservedKey[] = "bytes";  // every sample of a profile has it: the size of the object

int check_key(const char* key, size_t* length) {
  if (key == nullptr || key[0] == '\0') return EINVAL;
  *length = strnlen(key, LIBALLOC_ABI_LABEL_KEY_BYTES);
  if (*length == LIBALLOC_ABI_LABEL_KEY_BYTES) return ENAMETOOLONG;
  if (strcmp(key, kReservedKey) == 0 || strncmp(key, kReservedPrefix, sizeof(kReservedPrefix) - 1) == 0) return EINVAL;
  return 0;
}

struct Place {
  uint32_t index;  // of the label, or where it belongs
  bool found;
};
Place find(const ThreadLabels& labels, const char* key) {
  for (uint32_t i = 0; i < labels.count; i++) {
    const int order = strcmp(labels.labels[i].key, key);
    if (order >= 0) return {i, order == 0};
  }
  return {labels.count, false};
}

// What a call may do with its thread; `error` says why it may not.
Thread* thread_of(SlowPath& path, int* error) {
  *error = path.reentered() ? EAGAIN : path.thread() == nullptr ? ENOMEM : thread_exited() ? ESRCH : 0;
  return *error == 0 ? path.thread() : nullptr;
}

void remove(ThreadLabels& labels, uint32_t index) {
  labels.count--;
  memmove(&labels.labels[index], &labels.labels[index + 1], (labels.count - index) * sizeof(liballoc_abi_label));
  labels.set = 0;
}

void set_value(ThreadLabels& labels, liballoc_abi_label& label, const char* value, size_t length) {
  if (label.value_bytes == length && memcmp(label.value, value, length) == 0) return;
  memcpy(label.value, value, length);
  if (length < label.value_bytes) memset(label.value + length, 0, label.value_bytes - length);
  label.value_bytes = static_cast<uint32_t>(length);
  labels.set = 0;
}

liballoc_abi_label& insert(ThreadLabels& labels, uint32_t index, const char* key, size_t length) {
  liballoc_abi_label& label = labels.labels[index];
  memmove(&label + 1, &label, (labels.count - index) * sizeof(label));
  memset(&label, 0, sizeof(label));
  memcpy(label.key, key, length);
  label.key_bytes = static_cast<uint32_t>(length);
  labels.count++;
  labels.set = 0;
  return label;
}

}  // namespace

int set_label(const char* key, const char* value) {
  size_t key_length = 0;
  if (const int error = check_key(key, &key_length); error != 0) return error;
  const size_t length = value == nullptr ? 0 : strnlen(value, LIBALLOC_ABI_LABEL_VALUE_BYTES);
  if (length == LIBALLOC_ABI_LABEL_VALUE_BYTES) return ENAMETOOLONG;
  SlowPath path;
  int error = 0;
  Thread* const thread = thread_of(path, &error);
  if (thread == nullptr) return error;
  if (thread->labels == nullptr) {
    if (value == nullptr) return 0;
    thread->labels = static_cast<ThreadLabels*>(persistent_alloc(sizeof(ThreadLabels), alignof(ThreadLabels), g_heap.sys().mcache));
    if (thread->labels == nullptr) return ENOMEM;
  }
  ThreadLabels& labels = *thread->labels;
  const Place place = find(labels, key);
  if (value == nullptr) {
    if (place.found) remove(labels, place.index);
    return 0;
  }
  if (!place.found && labels.count == LIBALLOC_ABI_LABELS_PER_SET) return ENOSPC;
  set_value(labels, place.found ? labels.labels[place.index] : insert(labels, place.index, key, key_length), value, length);
  return 0;
}

int get_label(const char* key, char* out, size_t bytes, size_t* length) {
  size_t key_length = 0;
  if (const int error = check_key(key, &key_length); error != 0) return error;
  const Thread* const thread = t_thread;
  if (thread == nullptr || thread->labels == nullptr) return ENOENT;
  if (thread->in_slow) return EAGAIN;
  const Place place = find(*thread->labels, key);
  if (!place.found) return ENOENT;
  const liballoc_abi_label& label = thread->labels->labels[place.index];
  *length = label.value_bytes;
  if (bytes <= label.value_bytes) return ERANGE;
  memcpy(out, label.value, label.value_bytes + 1);
  return 0;
}

int clear_labels() {
  if (t_thread == nullptr) return 0;
  SlowPath path;
  int error = 0;
  Thread* const thread = thread_of(path, &error);
  if (thread != nullptr) drop_labels(*thread);
  return error;
}

uint32_t label_set_of(Thread& thread) {
  ThreadLabels* const labels = thread.labels;
  if (labels == nullptr || labels->count == 0) return 0;
  if (labels->set == 0) labels->set = g_segment.intern_labels(labels->labels, labels->count);
  return labels->set;
}

void drop_labels(Thread& thread) {
  if (thread.labels == nullptr) return;
  thread.labels->count = 0;
  thread.labels->set = 0;
}

void forget_label_set(Thread& thread) {
  if (thread.labels != nullptr) thread.labels->set = 0;
}

}  // namespace liballoc
