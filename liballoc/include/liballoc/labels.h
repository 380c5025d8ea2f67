/* labels.h - key=value labels of a thread: its samples carry them, heap profiles show them (go tool pprof -tagfocus tenant=acme).
 * C and C++. A label costs a copy when it is set and nothing when memory is allocated.
 *
 * A program that is to run without liballoc too defines LIBALLOC_LABELS_OPTIONAL before it includes this: then the functions are
 * weak, and null where no liballoc is linked or preloaded. ScopedLabel does nothing there.
 *
 * Must never be used from a signal handler. */
#ifndef LIBALLOC_LABELS_H_
#define LIBALLOC_LABELS_H_

#include <stddef.h>

#ifdef LIBALLOC_LABELS_OPTIONAL
#define LIBALLOC_LABELS_WEAK __attribute__((weak))
#else
#define LIBALLOC_LABELS_WEAK
#endif

#define LIBALLOC_LABEL_KEY_MAX 47    /* bytes of a key */
#define LIBALLOC_LABEL_VALUE_MAX 191 /* bytes of a value */
#define LIBALLOC_LABELS_MAX 12       /* labels of a thread */

#ifdef __cplusplus
extern "C" {
#endif

/* What the calling thread allocates from now on carries key=value, in place of what the key was set to; `value` NULL takes the label
 * away. Both are copied. Labels belong to the thread: another one that works on the same thing sets them too. The child of a fork
 * keeps those of the thread that called it. 0; or -1 and the labels as they were, with errno:
 *   EINVAL        `key` is NULL, empty, "bytes" (the size of the object has that name), or begins with "pprof::"
 *   ENAMETOOLONG  more than LIBALLOC_LABEL_KEY_MAX or LIBALLOC_LABEL_VALUE_MAX bytes
 *   ENOSPC        the thread has LIBALLOC_LABELS_MAX labels
 *   ENOMEM        no memory for the first label of the thread
 *   ESRCH         the thread is ending: its destructors of thread-local objects run
 *   EAGAIN        called by a signal handler that has interrupted the allocator
 * The segment keeps 4096 different labels and 4096 different sets of them, those that were sampled first; a sample with others
 * counts without labels. So values should be few: a tenant, an endpoint, a kind of query, not a request. */
int liballoc_set_label(const char* key, const char* value) LIBALLOC_LABELS_WEAK;

/* The value of the calling thread's label, with its NUL, to `buffer` of `bytes` bytes. Its length; or -1 and errno: ENOENT when the
 * thread has no such label, ERANGE when the buffer is too small (LIBALLOC_LABEL_VALUE_MAX + 1 always suffices), EINVAL and EAGAIN as
 * above. */
int liballoc_get_label(const char* key, char* buffer, size_t bytes) LIBALLOC_LABELS_WEAK;

/* Takes all labels of the calling thread away. 0, or -1 and errno ENOMEM, ESRCH or EAGAIN as above. */
int liballoc_clear_labels(void) LIBALLOC_LABELS_WEAK;

#ifdef __cplusplus
}

namespace liballoc {

/* The calling thread carries key=value until the end of the scope; then what it carried before. `key` must live as long. Values and
 * keys that liballoc_set_label refuses change nothing. */
class ScopedLabel {
 public:
  ScopedLabel(const char* key, const char* value) : key_(key), set_(false), had_(false) {
#ifdef LIBALLOC_LABELS_OPTIONAL
    if (liballoc_set_label == nullptr || liballoc_get_label == nullptr) return;
#endif
    had_ = liballoc_get_label(key, before_, sizeof(before_)) >= 0;
    set_ = liballoc_set_label(key, value) == 0;
  }
  ~ScopedLabel() {
    if (set_) liballoc_set_label(key_, had_ ? before_ : nullptr);
  }
  ScopedLabel(const ScopedLabel&) = delete;
  ScopedLabel& operator=(const ScopedLabel&) = delete;

 private:
  const char* key_;
  bool set_, had_;
  char before_[LIBALLOC_LABEL_VALUE_MAX + 1];
};

}  // namespace liballoc
#endif

#endif /* LIBALLOC_LABELS_H_ */
