// size_classes.h - the 67 size classes, the lookup from a size, and division by an object size without dividing.
// Everything is computed at compile time from one list. Pure; no state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "liballoc/base/bits.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

inline constexpr unsigned kPageShift = 13;
inline constexpr size_t kPageBytes = size_t{1} << kPageShift;
inline constexpr size_t kMaxSmallBytes = 32768;
inline constexpr unsigned kSizeClasses = 67;  // class 0 is large, 1..66 are small

// A span class is size class << 1 | noscan. A cache class, which indexes per-thread tables, is size class + 67 * noscan, so
// that the classes in use lie side by side.
inline constexpr unsigned kSpanClasses = 2 * kSizeClasses;
inline constexpr unsigned kCacheClasses = 2 * kSizeClasses;
constexpr unsigned cache_class(unsigned size_class, bool noscan) { return size_class + (noscan ? kSizeClasses : 0); }
constexpr unsigned size_class_of(unsigned cache_class) {
  return cache_class < kSizeClasses ? cache_class : cache_class - kSizeClasses;
}
constexpr unsigned span_class_of(unsigned cache_class) {
  return size_class_of(cache_class) << 1 | (cache_class >= kSizeClasses ? 1u : 0u);
}

struct SizeClass {
  uint32_t bytes;
  uint32_t pages;    // per span
  uint32_t objects;  // per span
  uint32_t magic;    // ceil(2^32 / bytes): offset * magic >> 32 == offset / bytes within a span
};

namespace size_class_detail {

struct Entry {
  uint16_t bytes, pages;
};
inline constexpr Entry kList[kSizeClasses] = {
    {0, 0},      {8, 1},      {16, 1},     {32, 1},     {48, 1},     {64, 1},     {80, 1},     {96, 1},     {112, 1},
    {128, 1},    {144, 1},    {160, 1},    {176, 1},    {192, 1},    {208, 1},    {224, 1},    {240, 1},    {256, 1},
    {288, 1},    {320, 1},    {352, 1},    {384, 1},    {416, 1},    {448, 1},    {480, 1},    {512, 1},    {576, 1},
    {640, 1},    {704, 1},    {768, 1},    {896, 1},    {1024, 1},   {1152, 1},   {1280, 1},   {1408, 2},   {1536, 1},
    {1792, 2},   {2048, 1},   {2304, 2},   {2688, 1},   {3072, 3},   {3200, 2},   {3456, 3},   {4096, 1},   {4864, 3},
    {5376, 2},   {6144, 3},   {6528, 4},   {6784, 5},   {6912, 6},   {8192, 1},   {9472, 7},   {9728, 6},   {10240, 5},
    {10880, 4},  {12288, 3},  {13568, 5},  {14336, 7},  {16384, 2},  {18432, 9},  {19072, 7},  {20480, 5},  {21760, 8},
    {24576, 3},  {27264, 10}, {28672, 7},  {32768, 4}};

inline constexpr size_t kSmallStepLimit = 1024 - 8;  // up to here one table entry per 8 bytes, above one per 128

consteval std::array<SizeClass, kSizeClasses> make_classes() {
  std::array<SizeClass, kSizeClasses> classes{};
  for (unsigned c = 1; c < kSizeClasses; c++) {
    const uint32_t bytes = kList[c].bytes;
    classes[c] = {bytes, kList[c].pages, static_cast<uint32_t>(kList[c].pages * kPageBytes / bytes),
                  static_cast<uint32_t>(((uint64_t{1} << 32) + bytes - 1) / bytes)};
  }
  return classes;
}

template <size_t N>
consteval std::array<uint16_t, N> make_lookup(size_t first, size_t step, uint16_t scale) {
  std::array<uint16_t, N> table{};
  unsigned c = 1;
  for (size_t i = 0; i < N; i++) {
    const size_t bytes = first + i * step;
    while (c + 1 < kSizeClasses && kList[c].bytes < bytes) c++;
    table[i] = static_cast<uint16_t>(c * scale);
  }
  return table;
}

}  // namespace size_class_detail

inline constexpr std::array<SizeClass, kSizeClasses> kClasses = size_class_detail::make_classes();
// The lookup tables hold classes times this: the byte offset of the class in tables with entries of so many bytes, which
// saves the hit paths a shift.
inline constexpr uint16_t kClassScale = 32;
inline constexpr auto kScaledClassOf8 =
    size_class_detail::make_lookup<size_class_detail::kSmallStepLimit / 8 + 1>(0, 8, kClassScale);
inline constexpr auto kScaledClassOf128 =
    size_class_detail::make_lookup<(kMaxSmallBytes - 1024) / 128 + 1>(1024, 128, kClassScale);

// Smallest class whose objects hold `bytes`; bytes <= kMaxSmallBytes. 0 bytes get class 1: a unique pointer.
constexpr unsigned size_to_class(size_t bytes) {
  if (bytes <= size_class_detail::kSmallStepLimit) return kScaledClassOf8[(bytes + 7) >> 3] / kClassScale;
  return kScaledClassOf128[(bytes - 1024 + 127) >> 7] / kClassScale;
}

// Offset within a span to slot number.
constexpr uint32_t slot_index(uint32_t offset, uint32_t magic) {
  return static_cast<uint32_t>((uint64_t{offset} * magic) >> 32);
}

inline constexpr unsigned kMaxObjectsPerSpan = 1024;  // 8-byte objects in one page
static_assert(kClasses[1].objects == kMaxObjectsPerSpan);
static_assert(kSizeClasses == LIBALLOC_ABI_SIZE_CLASSES && kCacheClasses == LIBALLOC_ABI_CACHE_CLASSES);
static_assert(kCacheClasses <= 256, "a cache class is stored in one byte per page");

}  // namespace liballoc
