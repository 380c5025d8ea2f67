// segment_space.h - the mapped file as space for sections: header, directory, and extents appended
// behind one another. Invariant: every byte below the mark is populated and may be written, except
// the part of a sparse extent that is not backed yet; nothing else is ever touched. Guarded by the
// segment's telemetry lock, except backed_bytes() and header(), which any thread may ask for, and
// back_sparse(), whose caller alone writes that extent.
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

  // The same, of which only the first `backed_first` bytes are backed: a multiple of the system
  // page, or all of them. The rest is a hole, which readers see as zeros, until back_sparse().
  liballoc_abi_section* add_sparse_extent(uint32_t kind, uint32_t stride, uint32_t capacity,
                                          uint64_t backed_first);
  // Backs [from, to) of a sparse extent, offsets in the file and multiples of the system page.
  // False, and growth_failures counted, when the file system is full.
  bool back_sparse(uint64_t from, uint64_t to);
  bool can_grow() const { return can_grow_; }

  bool attached() const { return base_ != nullptr; }
  liballoc_abi_header* header() const { return reinterpret_cast<liballoc_abi_header*>(base_); }
  std::byte* at(uint64_t offset) const { return base_ + offset; }
  uint64_t capacity() const { return capacity_; }
  uint64_t backed_bytes() const { return backed_bytes_.load(); }

 private:
  bool back(uint64_t end);
  liballoc_abi_section* describe(uint32_t kind, uint32_t extent, uint64_t offset, uint32_t stride,
                                 uint32_t capacity, uint64_t end);
  void count_failure();

  std::byte* base_ = nullptr;
  uint64_t capacity_ = 0;
  uint64_t mark_ = 0;            // where backing goes on
  RelaxedCounter backed_bytes_;  // of the file; read by anybody, as a figure
  bool can_grow_ = false;
};

}  // namespace liballoc
