// segment_space.cc - see segment_space.h. Backs before it describes, describes before it counts.
#include "liballoc/telemetry/segment_space.h"

#include <errno.h>
#include <sys/mman.h>

#include "liballoc/base/bits.h"
#include "liballoc/os/os.h"
#include "liballoc/os/sys_mem.h"
#include "liballoc/telemetry/file_calls.h"

namespace liballoc {

long populate_range(std::byte* base, uint64_t from, uint64_t to) {
  std::byte* const at = base + from;
  long r = sys::protect(at, to - from, PROT_READ | PROT_WRITE);
  if (r < 0) return r;
  int attempts = 0;
  do {
    r = sys::advise(at, to - from, kMadvPopulateWrite);
  } while ((r == -EAGAIN || r == -EINTR) && ++attempts < 8);
  if (r < 0) {
    // What was had before the file system was full goes back to it.
    sys::advise(at, to - from, MADV_REMOVE);
    sys::protect(at, to - from, PROT_NONE);
  }
  return r;
}

void SegmentSpace::attach(std::byte* base, uint64_t capacity, uint64_t backed, bool can_grow) {
  base_ = base;
  capacity_ = capacity;
  can_grow_ = can_grow;
  mark_ = backed;
  backed_bytes_.set(backed);
}

void SegmentSpace::detach() {
  base_ = nullptr;
  capacity_ = 0;
  can_grow_ = false;
  mark_ = 0;
  backed_bytes_.set(0);
}

bool SegmentSpace::back(uint64_t end) {
  if (end <= mark_) return true;
  const uint64_t to = align_up(end, system_page_bytes());
  if (!can_grow_ || to > capacity_) return false;
  if (populate_range(base_, mark_, to) < 0) return false;
  backed_bytes_.add(to - mark_);
  mark_ = to;
  return true;
}

void SegmentSpace::count_failure() {
  // Two locks lead here.
  __atomic_fetch_add(&header()->growth_failures, uint64_t{1}, __ATOMIC_RELAXED);
}

bool SegmentSpace::back_sparse(uint64_t from, uint64_t to) {
  if (can_grow_ && populate_range(base_, from, to) >= 0) {
    backed_bytes_.add(to - from);
    return true;
  }
  count_failure();
  return false;
}

liballoc_abi_section* SegmentSpace::describe(uint32_t kind, uint32_t extent, uint64_t offset,
                                             uint32_t stride, uint32_t capacity, uint64_t end) {
  liballoc_abi_header* const h = header();
  const uint64_t index = load_relaxed(&h->directory_count);
  auto* const entry = reinterpret_cast<liballoc_abi_section*>(base_ + h->directory_offset) + index;
  entry->kind = kind;
  entry->extent = extent;
  entry->offset = offset;
  entry->stride = stride;
  entry->capacity = capacity;
  // Both pair with the reader's order of fetching: directory_count first, then valid_bytes and the
  // entries.
  store_release(&h->valid_bytes, end);
  store_release(&h->directory_count, index + 1);
  return entry;
}

liballoc_abi_section* SegmentSpace::add_extent(uint32_t kind, uint32_t extent, uint32_t stride,
                                               uint32_t capacity) {
  liballoc_abi_header* const h = header();
  const uint64_t offset = align_up(load_relaxed(&h->valid_bytes), kSectionAlign);
  const uint64_t bytes = uint64_t{stride} * capacity;
  if (load_relaxed(&h->directory_count) == LIBALLOC_ABI_DIRECTORY_CAPACITY ||
      bytes > capacity_ - offset || !back(offset + bytes)) {
    count_failure();
    return nullptr;
  }
  return describe(kind, extent, offset, stride, capacity, offset + bytes);
}

liballoc_abi_section* SegmentSpace::add_sparse_extent(uint32_t kind, uint32_t stride,
                                                      uint32_t capacity, uint64_t backed_first) {
  liballoc_abi_header* const h = header();
  const uint64_t offset = align_up(load_relaxed(&h->valid_bytes), system_page_bytes());
  const uint64_t end = align_up(offset + uint64_t{stride} * capacity, system_page_bytes());
  if (load_relaxed(&h->directory_count) == LIBALLOC_ABI_DIRECTORY_CAPACITY || end > capacity_ ||
      !back(offset + backed_first)) {
    count_failure();
    return nullptr;
  }
  if (mark_ < end) mark_ = end;
  return describe(kind, 0, offset, stride, capacity, end);
}

}  // namespace liballoc
