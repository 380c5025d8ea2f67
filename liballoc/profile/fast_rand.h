// fast_rand.h - pseudo-random numbers of one thread: a 64-bit counter hashed by a 128-bit product
// (the wyrand scheme). Not for secrets. No lock, no system call; the caller keeps one per thread
// and seeds it.
#pragma once

#include <cstdint>

namespace liballoc {

class FastRand {
 public:
  constexpr FastRand() = default;
  constexpr explicit FastRand(uint64_t seed) : state_(seed) {}
  constexpr void seed(uint64_t value) { state_ = value; }

  constexpr uint64_t next() {
    state_ += 0xa0761d6478bd642f;
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(state_) * (state_ ^ 0xe7037ed1a0b428db);
    return static_cast<uint64_t>(product >> 64) ^ static_cast<uint64_t>(product);
  }
  constexpr uint32_t next_bits(unsigned bits) {
    return static_cast<uint32_t>(next() >> (64 - bits));
  }  // 1..32 bits

 private:
  uint64_t state_ = 0;
};

}  // namespace liballoc
