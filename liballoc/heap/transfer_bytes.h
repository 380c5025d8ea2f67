// transfer_bytes.h - how many bytes lie in the transfer caches of all classes together, without an instruction that waits for
// another processor: each cache keeps a word of its own, and the sum is formed now and then.
#pragma once

#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/base/compiler.h"
#include "liballoc/heap/size_classes.h"

namespace liballoc {

class TransferBytes {
 public:
  // By the holder of that cache's lock.
  void set(unsigned cache_cls, uint64_t bytes) { store_relaxed(&of_[cache_cls], bytes); }
  // The sum now; exact when no thread is at work.
  uint64_t sum() const {
    uint64_t total = 0;
    for (const uint64_t& bytes : of_) total += load_relaxed(&bytes);
    return total;
  }
  // The sum as of the last refresh(), by whichever thread. Orders nothing: a bound is compared with it.
  uint64_t estimate() const { return load_relaxed(&estimate_); }
  uint64_t refresh() {
    const uint64_t now = sum();
    store_relaxed(&estimate_, now);
    return now;
  }

 private:
  alignas(kCacheLineBytes) uint64_t of_[kCacheClasses] = {};
  alignas(kCacheLineBytes) uint64_t estimate_ = 0;
};

}  // namespace liballoc
