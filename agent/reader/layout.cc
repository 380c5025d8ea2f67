// layout.cc - see layout.h. Must never use a value of the segment before it is checked, or fetch
// one twice.
#include "agent/reader/layout.h"

#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "agent/reader/counter_math.h"
#include "agent/reader/limits.h"

namespace liballoc::agent {
namespace {

struct Range {
  uint64_t offset;
  uint64_t bytes;
};

struct KindRule {
  uint32_t record_bytes;  // sizeof in the first version that has it: a newer minor only appends
  bool single_extent;
  uint64_t min_count;  // 0 = the section may be missing
};

// Indexed by enum liballoc_abi_kind.
constexpr std::array<KindRule, kSectionKinds> kRules = {{
    {0, false, 0},
    {sizeof(liballoc_abi_identity), true, 1},
    {sizeof(liballoc_abi_memstats), true, 1},
    {sizeof(liballoc_abi_thread), false, 0},
    {sizeof(liballoc_abi_span), false, 0},
    {sizeof(liballoc_abi_stack), false, 0},
    {sizeof(liballoc_abi_frame), false, 0},
    {sizeof(liballoc_abi_bucket), false, 0},
    {sizeof(liballoc_abi_sample), false, 0},
    {sizeof(liballoc_abi_module), false, 0},
    {sizeof(liballoc_abi_record), true, 0},
    {sizeof(liballoc_abi_fault), false, 0},
    {sizeof(liballoc_abi_size_class), true, LIBALLOC_ABI_SIZE_CLASSES},
    {sizeof(liballoc_abi_peak), false, 0},
    {sizeof(liballoc_abi_label), false, 0},
    {sizeof(liballoc_abi_label_set), false, 0},
}};

std::string number(uint64_t value) { return std::to_string(value); }

ReadResult<void> check_header(const liballoc_abi_header& h, uint64_t file_bytes) {
  if (h.magic == 0) return reject(Reject::kIncomplete, "no magic yet");
  if (h.magic != LIBALLOC_ABI_MAGIC) {
    return reject(Reject::kBadMagic, "magic " + number(h.magic));
  }
  if (h.major != LIBALLOC_ABI_MAJOR) {
    return reject(Reject::kUnsupportedVersion, "version " + number(h.major) + "." +
                                                   number(h.minor) + ", this agent reads " +
                                                   number(LIBALLOC_ABI_MAJOR) + ".x");
  }
  if (h.header_bytes < sizeof(h) || h.header_bytes > limits::kMaxHeaderBytes) {
    return reject(Reject::kBadHeader, "header_bytes " + number(h.header_bytes) + ", must be " +
                                          number(sizeof(h)) + " to " +
                                          number(limits::kMaxHeaderBytes));
  }
  if (h.pid == 0) return reject(Reject::kBadHeader, "pid 0");
  if (!std::has_single_bit(h.page_bytes) || h.page_bytes < 4096 || h.page_bytes > (1u << 20)) {
    return reject(Reject::kBadHeader, "page_bytes " + number(h.page_bytes) +
                                          ", must be a power of two from 4096 to 1048576");
  }
  if (h.capacity_bytes > limits::kMaxFileBytes || h.valid_bytes > h.capacity_bytes ||
      h.valid_bytes > limits::kMaxValidBytes || h.valid_bytes < h.header_bytes) {
    return reject(Reject::kBadHeader, "valid_bytes " + number(h.valid_bytes) + " of capacity " +
                                          number(h.capacity_bytes) + ", at most " +
                                          number(limits::kMaxValidBytes));
  }
  if (h.valid_bytes > file_bytes) {
    return reject(Reject::kTruncated, "valid_bytes " + number(h.valid_bytes) +
                                          " but the file has " + number(file_bytes));
  }
  if (h.directory_count > limits::kMaxDirectoryEntries ||
      h.directory_stride < sizeof(liballoc_abi_section) ||
      h.directory_stride > limits::kMaxDirectoryStride || h.directory_stride % 8 != 0 ||
      h.directory_offset < h.header_bytes || h.directory_offset % 8 != 0 ||
      !BytesView::fits(h.directory_offset, h.directory_count * h.directory_stride, h.valid_bytes)) {
    return reject(Reject::kBadDirectory, number(h.directory_count) + " entries of " +
                                             number(h.directory_stride) + " bytes at " +
                                             number(h.directory_offset));
  }
  return {};
}

// Checks one directory entry and adds it to its section.
ReadResult<void> add_extent(const liballoc_abi_section& entry, uint64_t entry_offset,
                            uint64_t valid_bytes, Section& section) {
  const KindRule& rule = kRules[entry.kind];
  const std::string where = "section " + number(entry.kind) + " extent " + number(entry.extent);
  if (rule.single_extent && !section.extents.empty()) {
    return reject(Reject::kDuplicateSection, where);
  }
  if (entry.extent != section.extents.size()) {
    return reject(Reject::kBadDirectory,
                  where + " follows " + number(section.extents.size()) + " extents");
  }
  if (entry.stride < rule.record_bytes || entry.stride > limits::kMaxStride ||
      entry.stride % 8 != 0) {
    return reject(Reject::kBadStride, where + " stride " + number(entry.stride) + ", at least " +
                                          number(rule.record_bytes));
  }
  const uint64_t bytes = uint64_t{entry.stride} * entry.capacity;
  if (entry.offset % limits::kSectionAlignment != 0 ||
      !BytesView::fits(entry.offset, bytes, valid_bytes)) {
    return reject(Reject::kBadOffset, where + " at " + number(entry.offset) + " with " +
                                          number(bytes) + " bytes of " + number(valid_bytes));
  }
  const bool is_ring = entry.kind == LIBALLOC_SECTION_RING;
  if (entry.capacity == 0 || (!is_ring && entry.count > entry.capacity)) {
    return reject(Reject::kBadCount, where + " count " + number(entry.count) + " of capacity " +
                                         number(entry.capacity));
  }
  uint64_t first_record = 0;
  for (const Extent& earlier : section.extents) first_record += earlier.capacity;
  section.extents.push_back(
      {entry.offset, entry.stride, entry.capacity, entry.count, first_record, entry_offset});
  if (entry.count > 0 && !is_ring) section.records = first_record + entry.count;
  if (entry.extent == 0) section.dropped = entry.dropped;
  return {};
}

ReadResult<void> check_overlap(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].offset - ranges[i - 1].offset < ranges[i - 1].bytes) {
      return reject(Reject::kOverlap, "bytes from " + number(ranges[i].offset));
    }
  }
  return {};
}

// One fetch of header and directory, checked.
ReadResult<Layout> fetch_layout(const ByteSource& source) {
  const auto file_bytes = source.size();
  if (!file_bytes) return failure(file_bytes.error());
  Layout layout;
  liballoc_abi_header& header = layout.header;
  if (*file_bytes == 0) return reject(Reject::kIncomplete, "the file is empty");
  if (*file_bytes < sizeof(header)) {
    return reject(Reject::kFileTooSmall,
                  number(*file_bytes) + " bytes, a header has " + number(sizeof(header)));
  }
  std::array<uint8_t, sizeof(header)> header_bytes;
  if (const auto read = source.read_at(0, header_bytes); !read) return failure(read.error());
  header = *BytesView(header_bytes).load<liballoc_abi_header>(0);
  if (const auto checked = check_header(header, *file_bytes); !checked) {
    return failure(checked.error());
  }

  const uint64_t directory_bytes = header.directory_count * header.directory_stride;
  std::vector<uint8_t> directory(directory_bytes);
  if (const auto read = source.read_at(header.directory_offset, directory); !read) {
    return failure(read.error());
  }
  std::vector<Range> ranges = {{0, header.header_bytes},
                               {header.directory_offset, directory_bytes}};
  for (uint64_t i = 0; i < header.directory_count; ++i) {
    const uint64_t at = i * header.directory_stride;
    const auto entry = *BytesView(directory).load<liballoc_abi_section>(at);
    if (entry.kind == LIBALLOC_SECTION_NONE || entry.kind >= kSectionKinds) continue;
    const auto added = add_extent(entry, header.directory_offset + at, header.valid_bytes,
                                  layout.sections[entry.kind]);
    if (!added) return failure(added.error());
    ranges.push_back({entry.offset, uint64_t{entry.stride} * entry.capacity});
  }
  if (const auto checked = check_overlap(std::move(ranges)); !checked) {
    return failure(checked.error());
  }
  for (uint32_t kind = 1; kind < kSectionKinds; ++kind) {
    const KindRule& rule = kRules[kind];
    if (rule.min_count == 0) continue;
    const Section& section = layout.sections[kind];
    if (section.extents.empty()) {
      return reject(Reject::kMissingSection, "section " + number(kind));
    }
    if (section.records < rule.min_count) {
      return reject(Reject::kBadCount, "section " + number(kind) + " has " +
                                           number(section.records) + " records, at least " +
                                           number(rule.min_count));
    }
  }
  return layout;
}

}  // namespace

ReadResult<Layout> read_layout(const ByteSource& source) {
  // The copy of the header may hold the directory_count of an extent that was added in that instant
  // and the valid_bytes from before. The writer stores valid_bytes first, so the next fetch finds
  // both, unless yet another extent came: bounded, for a segment that is wrong and stays so.
  auto layout = fetch_layout(source);
  for (int fetch = 1; fetch < limits::kLayoutFetches; ++fetch) {
    if (layout || layout.error().reason != Reject::kBadOffset) break;
    layout = fetch_layout(source);
  }
  return layout;
}

}  // namespace liballoc::agent
