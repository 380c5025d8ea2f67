// numbers.cc - number-crunching with tiny objects: every intermediate result of a continued fraction is a boxed number.
// Like the classic factoring programs: objects of 10 to 24 bytes, reference counted, nearly all dead at once.

#include <utility>

#include "tests/bench/bench.h"

namespace {

using namespace liballoc::bench;
__extension__ typedef unsigned __int128 Wide;

// An immutable natural number as 16-bit digits without leading zeros, on the heap.
struct Box {
  std::uint32_t references;
  std::uint32_t digits;
  std::uint16_t digit[1];
};

class Number {
 public:
  explicit Number(Wide value) : box_(make(value)) {}
  Number(const Number& other) : box_(other.box_) { ++box_->references; }
  Number(Number&& other) noexcept : box_(std::exchange(other.box_, nullptr)) {}
  Number& operator=(Number other) {
    std::swap(box_, other.box_);
    return *this;
  }
  ~Number() {
    if (box_ != nullptr && --box_->references == 0) std::free(box_);
  }

  Wide value() const {
    Wide value = 0;
    for (std::uint32_t i = box_->digits; i-- > 0;) value = value << 16 | box_->digit[i];
    return value;
  }

 private:
  static Box* make(Wide value) {
    std::uint32_t digits = 0;
    for (Wide rest = value; rest != 0; rest >>= 16) ++digits;
    const std::size_t size = offsetof(Box, digit) + 2 * (digits == 0 ? 1 : digits);
    Box* box = static_cast<Box*>(std::malloc(size));
    if (box == nullptr) out_of_memory(size);
    box->references = 1;
    box->digits = digits;
    for (std::uint32_t i = 0; i < digits; ++i, value >>= 16)
      box->digit[i] = static_cast<std::uint16_t>(value);
    return box;
  }

  Box* box_;
};

Number operator+(const Number& a, const Number& b) { return Number(a.value() + b.value()); }
Number operator-(const Number& a, const Number& b) { return Number(a.value() - b.value()); }
Number operator*(const Number& a, const Number& b) { return Number(a.value() * b.value()); }
Number low_quotient(const Number& a, const Number& b) {
  return Number(static_cast<std::uint64_t>(a.value()) / static_cast<std::uint64_t>(b.value()));
}
Number low_remainder(const Number& a, const Number& b) {
  return Number(static_cast<std::uint64_t>(a.value()) % static_cast<std::uint64_t>(b.value()));
}
bool is_zero(const Number& a) { return a.value() == 0; }

std::uint64_t square_root(std::uint64_t n) {
  std::uint64_t low = 0, high = std::uint64_t{1} << 31;
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    (middle * middle <= n ? low : high) = middle;
  }
  return low;
}

}  // namespace

int main(int argc, char** argv) {
  const Parameters parameters(argc, argv, {{"terms", 3000000, 1, 1000000000}});
  const std::uint64_t terms = parameters.work(parameters["terms"], 10);
  const Number n(1000000007ull * 998244353ull);
  const Number root(square_root(static_cast<std::uint64_t>(n.value())));
  const std::uint64_t small_primes[] = {2, 3, 5, 7, 11, 13};
  std::vector<Number> primes;
  for (std::uint64_t prime : small_primes) primes.emplace_back(prime);
  std::vector<Number> kept(4096, Number(1));  // residues that live longer

  Number m(0), d(1), a = root;
  std::uint64_t sum = 0;
  for (std::uint64_t term = 0; term < terms; ++term) {
    m = d * a - m;
    d = low_quotient(n - m * m, d);
    a = low_quotient(root + m, d);
    Number rest = d;
    for (const Number& prime : primes)
      while (!is_zero(rest) && is_zero(low_remainder(rest, prime))) rest = low_quotient(rest, prime);
    sum += mix(static_cast<std::uint64_t>(rest.value()) + term);
    kept[static_cast<std::size_t>(sum % kept.size())] = rest;
  }
  for (const Number& residue : kept) sum += mix(static_cast<std::uint64_t>(residue.value()));
  return finish(sum);
}
