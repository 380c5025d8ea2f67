// segment_space.h - the mapped file as space for sections: header, directory, and extents appended
// behind one another. Invariant: every byte below backed_bytes() is populated and may be written;
// nothing above it is ever touched. Guarded by the segment's telemetry lock, except backed_bytes()
// and header(), which any thread may ask for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "liballoc/base/atomic.h"
#include "liballoc/telemetry_abi.h"

namespace liballoc {

inline constexpr uint64_t kSectionAlign = 64;
inline constexpr uint64_t kDirectoryOffset = sizeof(liballoc_abi_header);
inline constexpr uint64_t kFirstSectionOffset =
    kDirectoryOffset + LIBALLOC_ABI_DIRECTORY_CAPACITY * sizeof(liballoc_abi_section);

// Give [from, to) of the mapping pages of their own, so that a store cannot raise SIGBUS. 0 or a
// negative errno; on failure nothing stays allocated. Offsets are multiples of the system page.
long populate_range(std::byte* base, uint64_t from, uint64_t to);

class SegmentSpace {
 public:
  constexpr SegmentSpace() = default;

  // `backed` bytes of the mapping are populated already. can_grow false: old kernel, see
  // segment_file.h.
  void attach(std::byte* base, uint64_t capacity, uint64_t backed, bool can_grow);
  void detach();  // forgets the mapping, does not unmap

  // Appends an extent and its directory entry. Null, and growth_failures counted, when it does not
  // fit under the cap, the file system is full, or the directory is.
  liballoc_abi_section* add_extent(uint32_t kind, uint32_t extent, uint32_t stride,
                                   uint32_t capacity);

  bool attached() const { return base_ != nullptr; }
  liballoc_abi_header* header() const { return reinterpret_cast<liballoc_abi_header*>(base_); }
  std::byte* at(uint64_t offset) const { return base_ + offset; }
  uint64_t capacity() const { return capacity_; }
  uint64_t backed_bytes() const { return backed_bytes_.load(); }

 private:
  bool back(uint64_t end);

  std::byte* base_ = nullptr;
  uint64_t capacity_ = 0;
  RelaxedCounter backed_bytes_;  // written under the telemetry lock; read by anybody, as a figure
  bool can_grow_ = false;
};

}  // namespace liballoc
