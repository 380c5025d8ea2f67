// word_copy.h - moving whole records in and out of the segment word by word, so that a reader never
// sees half a word and two threads never race on plain memory. Sizes are multiples of 8. What the
// words mean together is a sequence's matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "liballoc/base/atomic.h"

namespace liballoc {

using SharedWord = uint64_t __attribute__((may_alias));

inline void store_words(void* shared, const void* from, size_t bytes) {
  auto* to = static_cast<SharedWord*>(shared);
  for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
    uint64_t word;
    memcpy(&word, static_cast<const char*>(from) + i * sizeof(word), sizeof(word));
    __atomic_store_n(to + i, word, __ATOMIC_RELAXED);
  }
}

inline void load_words(void* to, const void* shared, size_t bytes) {
  const auto* from = static_cast<const SharedWord*>(shared);
  for (size_t i = 0; i < bytes / sizeof(uint64_t); i++) {
    const uint64_t word = __atomic_load_n(from + i, __ATOMIC_RELAXED);
    memcpy(static_cast<char*>(to) + i * sizeof(word), &word, sizeof(word));
  }
}

// A record whose first word is its sequence: everything behind that word is replaced. Writers are
// serialised.
template <typename T>
inline void store_sequenced(T* shared, const T& value) {
  static_assert(offsetof(T, sequence) == 0 && sizeof(T) % 8 == 0);
  SequenceWrite write(&shared->sequence);
  store_words(reinterpret_cast<std::byte*>(shared) + 8,
              reinterpret_cast<const std::byte*>(&value) + 8, sizeof(T) - 8);
}

}  // namespace liballoc
