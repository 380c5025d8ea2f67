// fuzz_target.h - what a fuzz driver is: a function that takes any bytes and ends the process when
// something that must hold does not. Must never depend on anything but its bytes (and, where it
// says so, on a heap that every run leaves empty).
//
// The same drivers run under libFuzzer (fuzz_main.cc) and in ctest (regression_test.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

namespace liballoc {

struct FuzzTarget {
  const char* name;  // also the folder of its corpus
  size_t max_bytes;  // longer inputs are cut: they would only repeat themselves
  void (*run)(std::span<const uint8_t> input);
};

// Of the library of drivers that is linked.
std::span<const FuzzTarget> fuzz_targets();

// Takes an input apart. Behind its end everything is zero.
class FuzzInput {
 public:
  explicit FuzzInput(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  template <typename T>
  T value() {
    static_assert(std::is_trivially_copyable_v<T>);
    T out{};
    const std::span<const uint8_t> part = take(sizeof(T));
    if (!part.empty()) std::memcpy(&out, part.data(), part.size());
    return out;
  }
  uint8_t byte() { return value<uint8_t>(); }
  // In [0, n); n > 0.
  size_t below(size_t n) {
    return (n <= 256 ? value<uint8_t>() : n <= 65536 ? value<uint16_t>() : value<uint64_t>()) % n;
  }
  // Up to n bytes.
  std::span<const uint8_t> take(size_t n) {
    const std::span<const uint8_t> part = bytes_.first(n < bytes_.size() ? n : bytes_.size());
    bytes_ = bytes_.subspan(part.size());
    return part;
  }
  std::span<const uint8_t> rest() { return take(bytes_.size()); }

 private:
  std::span<const uint8_t> bytes_;
};

[[noreturn]] inline void fuzz_check_failed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

}  // namespace liballoc

#define LIBALLOC_FUZZ_CHECK(condition) \
  ((condition) ? static_cast<void>(0)  \
               : ::liballoc::fuzz_check_failed(__FILE__, __LINE__, #condition))
