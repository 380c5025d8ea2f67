// tiny_block.h - the state of a 16-byte block that several objects without pointers share: one word beside the span, none in the
// block. Pure arithmetic on that word; who may change what is said in core/tiny_objects.
//
// Low half: bit i is set when a piece begins at byte i. High half: bit i is set when byte i belongs to a piece. A piece is an
// object, or the rest of the block that its holder (a thread) has still to give away. No piece: the block is free.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "liballoc/heap/size_classes.h"

namespace liballoc {

inline constexpr uint32_t kTinyBlockBytes = 16;
// Spans of blocks are those of noscan objects of 16 bytes. Their frees take the slow path: a page's class byte stays 0.
inline constexpr unsigned kTinyClass = cache_class(size_to_class(kTinyBlockBytes), true);
static_assert(kClasses[size_class_of(kTinyClass)].bytes == kTinyBlockBytes);

constexpr uint8_t page_class_of(unsigned cache_cls) { return cache_cls == kTinyClass ? 0 : static_cast<uint8_t>(cache_cls); }

// What the size alone promises: as C types of that size want it.
constexpr uint32_t tiny_align(uint32_t bytes) {
  const uint32_t lowest = bytes & (0u - bytes);
  return lowest > 8 ? 8 : lowest;
}

// The piece of `bytes` bytes at `from`; 0 bytes give no piece. from + bytes <= 16.
constexpr uint32_t tiny_piece(uint32_t from, uint32_t bytes) {
  if (bytes == 0) return 0;
  return uint32_t{1} << from | ((uint32_t{1} << bytes) - 1) << from << 16;
}

constexpr bool tiny_piece_begins(uint32_t word, uint32_t at) { return (word >> at & 1) != 0; }
constexpr bool tiny_byte_taken(uint32_t word, uint32_t at) { return (word >> 16 >> at & 1) != 0; }

// Bytes of the piece that begins at `at`: up to the next piece or the first byte of none.
constexpr uint32_t tiny_piece_bytes(uint32_t word, uint32_t at) {
  const uint32_t taken = word >> 16 >> at;
  const uint32_t next = (word & 0xffff) >> at >> 1;  // bit k: a piece begins at + 1 + k
  const auto run = static_cast<uint32_t>(std::countr_one(taken));
  const auto until_next = static_cast<uint32_t>(std::countr_zero(next)) + 1;
  return run < until_next ? run : until_next;
}

// Where a thread goes on filling: the block, its word, and where the piece that the thread holds of it begins.
struct TinyCursor {
  uintptr_t block = 0;  // 0 = none
  uint32_t at = 0;      // < 16
};

}  // namespace liballoc
