// atomic.h - counters whose name says who may write them, so that uses need no comment of their own.
#pragma once

#include <atomic>
#include <cstdint>

namespace liballoc {

// Many writers; each change is exact, order to other memory is not promised.
class RelaxedCounter {
 public:
  constexpr RelaxedCounter() = default;
  void add(uint64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void sub(uint64_t n) { value_.fetch_sub(n, std::memory_order_relaxed); }
  void set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t load() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// One store or load of a word that another thread or the agent may look at meanwhile. The word itself is a plain
// integer because the segment's layout is C. Relaxed: what the reader may conclude is said at the use.
template <typename T>
inline void store_relaxed(T* p, T v) {
  __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
template <typename T>
inline T load_relaxed(const T* p) {
  return __atomic_load_n(p, __ATOMIC_RELAXED);
}
// The same where it mostly changes nothing: the line is not taken from other processors then. One writer at a time.
template <typename T>
inline void store_if_changed(T* p, T v) {
  if (load_relaxed(p) != v) store_relaxed(p, v);
}
// Release partner of the readers' acquire (the agent: it reads the word before what the word promises).
template <typename T>
inline void store_release(T* p, T v) {
  __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
template <typename T>
inline T load_acquire(const T* p) {
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
// A word that only the calling thread writes: no locked instruction.
template <typename T>
inline void owned_add(T* p, T n) {
  store_relaxed(p, static_cast<T>(load_relaxed(p) + n));
}

// Guards a record that readers copy without a lock. Writers are serialised by a lock of their own.
// begin(): the sequence becomes odd before any field changes; end(): even again after all have.
class SequenceWrite {
 public:
  explicit SequenceWrite(uint64_t* sequence) : sequence_(sequence), value_(load_relaxed(sequence) | 1) {
    store_relaxed(sequence_, value_);
    std::atomic_thread_fence(std::memory_order_release);  // odd is visible before the fields that follow
  }
  ~SequenceWrite() { store_release(sequence_, value_ + 1); }  // pairs with the reader's first acquire load
  SequenceWrite(const SequenceWrite&) = delete;
  SequenceWrite& operator=(const SequenceWrite&) = delete;

 private:
  uint64_t* sequence_;
  uint64_t value_;
};

}  // namespace liballoc
