// make_seeds.cc - writes the seeds of the reader's corpus: one valid segment, and one change at a
// time of each field that steers the reader. Run by hand: fuzz_make_seeds tests/fuzz/corpus.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

using Bytes = std::vector<uint8_t>;

struct Field {
  const char* name;
  size_t offset;
  size_t bytes;
};
#define FIELD(type, name) \
  { #name, offsetof(type, name), sizeof(type::name) }
constexpr Field kHeader[] = {FIELD(liballoc_abi_header, magic),
                             FIELD(liballoc_abi_header, major),
                             FIELD(liballoc_abi_header, header_bytes),
                             FIELD(liballoc_abi_header, capacity_bytes),
                             FIELD(liballoc_abi_header, valid_bytes),
                             FIELD(liballoc_abi_header, directory_offset),
                             FIELD(liballoc_abi_header, directory_count),
                             FIELD(liballoc_abi_header, directory_stride),
                             FIELD(liballoc_abi_header, pid),
                             FIELD(liballoc_abi_header, page_bytes)};
constexpr Field kEntry[] = {
    FIELD(liballoc_abi_section, kind),   FIELD(liballoc_abi_section, extent),
    FIELD(liballoc_abi_section, offset), FIELD(liballoc_abi_section, stride),
    FIELD(liballoc_abi_section, count),  FIELD(liballoc_abi_section, capacity)};
#undef FIELD

void write(const std::filesystem::path& dir, const std::string& name, const Bytes& bytes) {
  std::filesystem::create_directories(dir);
  std::ofstream file(dir / name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + (dir / name).string());
}

// Changes that a driver applies by exclusive or: all bits of the field, or its lowest.
std::vector<std::pair<std::string, Bytes>> changes_of(const Field& field) {
  Bytes all(field.offset + field.bytes);
  std::fill(all.begin() + static_cast<ptrdiff_t>(field.offset), all.end(), uint8_t{0xff});
  Bytes one(field.offset + 1);
  one.back() = 1;
  return {{std::string(field.name) + "-all", all}, {std::string(field.name) + "-lowest", one}};
}

SegmentBuilder small_builder() {
  SegmentBuilder b;
  const uint32_t stack = b.add_stack({0x1000, 0x2000, 0x3000});
  const uint32_t bucket = b.add_bucket(stack, 5, 64, 3, 190, 1, 60);
  b.add_sample(0x100000, 60, 64, stack, bucket);
  b.buckets.back().label_set = b.samples.back().label_set = b.add_label_set({{"tenant", "acme"}});
  b.peaks.push_back({{1, 0}, {2, 0}, {130, 0}, {0, 0}});
  b.add_span(0x400000, 1, LIBALLOC_SPAN_PARTIAL, 5, 2);
  b.add_module(0x400000, 0x500000, "/usr/bin/demo", {1, 2, 3, 4});
  b.add_fault(1, 0xbad, "bad free");
  b.ring_capacity = 4;
  for (uint64_t i = 0; i < 6; ++i) b.push_event(LIBALLOC_EVENT_SPAN_ALLOC, i);
  b.set_mallocs(0, 5, 1000);
  return b;
}

void make(const std::filesystem::path& corpus) {
  const Bytes nothing;
  write(corpus / "reader_header", "valid", nothing);
  for (const Field& field : kHeader) {
    for (const auto& [name, bytes] : changes_of(field)) {
      write(corpus / "reader_header", name, bytes);
    }
  }
  for (uint8_t kind = 0; kind < LIBALLOC_SECTION_LABEL_SETS; ++kind) {
    const std::string prefix = "kind" + std::to_string(kind + 1);
    const auto entry_change = [&](const std::string& name, Bytes bytes) {
      bytes.insert(bytes.begin(), kind);
      write(corpus / "reader_section", prefix + "-" + name, bytes);
    };
    entry_change("valid", nothing);
    for (const Field& field : kEntry) entry_change(field.name, changes_of(field).front().second);
    Bytes records(sizeof(liballoc_abi_section) + 128, 0xff);
    std::fill_n(records.begin(), sizeof(liballoc_abi_section), uint8_t{0});
    entry_change("records", records);
  }
  SegmentBuilder b = small_builder();
  write(corpus / "reader_file", "valid", b.bytes());
  SegmentBuilder newer = small_builder();
  newer.header.minor = LIBALLOC_ABI_MINOR + 1;
  newer.add_span(0x500000, 1, LIBALLOC_SPAN_FREE);
  newer.extents[LIBALLOC_SECTION_SPANS] = 2;
  newer.extra_stride = {{LIBALLOC_SECTION_SPANS, 8}, {LIBALLOC_SECTION_RING, 64}};
  write(corpus / "reader_file", "newer-minor", newer.bytes());
  // Patches of a live segment: flags, offset in words of 4 bytes, up to 8 bytes.
  const auto patch = [](uint8_t flags, size_t offset, Bytes news) {
    Bytes out = {flags, static_cast<uint8_t>(offset / 4), static_cast<uint8_t>(offset / 1024)};
    out.insert(out.end(), news.begin(), news.end());
    return out;
  };
  for (const Field& field : kHeader) {
    Bytes bytes = patch(static_cast<uint8_t>((field.bytes - 1) | 0x40), field.offset & ~size_t{3},
                        Bytes(field.bytes, 0xff));
    const Bytes back = patch(0x37, field.offset & ~size_t{3}, {});
    bytes.insert(bytes.end(), back.begin(), back.end());
    write(corpus / "reader_live", field.name, bytes);
  }
  Bytes cut = patch(0x68, 4096, {});
  const Bytes whole = patch(0x17, 0, {});
  cut.insert(cut.end(), whole.begin(), whole.end());
  write(corpus / "reader_live", "truncated", cut);
  // Rings: honest or not, capacity, stride, events per drain, records of a round, then steps.
  write(corpus / "reader_ring", "honest", {0, 7, 0, 9, 7, 0, 5, 3, 0, 1, 20, 3, 0, 2, 4, 3, 3});
  write(corpus / "reader_ring", "overrun", {0, 3, 1, 63, 3, 0, 60, 3, 0, 0, 63, 4, 3, 5, 2, 3, 0});
  // From 2 records to 5 and to 8, each time between two drains.
  write(corpus / "reader_ring", "grows",
        {0, 7, 0, 9, 1, 0, 1, 0, 2, 3, 0, 0, 4, 0, 2, 3, 3, 0, 9, 5, 0, 0, 30, 3, 2});
  write(corpus / "reader_ring", "damaged", {1, 7, 0, 9, 7, 0, 9, 6, 0, 0, 3, 9, 9, 9, 3, 0, 3, 0});
  write(corpus / "reader_ring", "head-back",
        {1, 7, 0, 9, 7, 0, 9,   3,   0,   7,   1,   0,   0,   0,   0, 0,
         0, 0, 3, 0, 7, 255, 255, 255, 255, 255, 255, 255, 255, 3});
}

}  // namespace
}  // namespace liballoc::agent

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_make_seeds CORPUS_DIR\n");
    return 2;
  }
  try {
    liballoc::agent::make(argv[1]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fuzz_make_seeds: %s\n", error.what());
    return 1;
  }
  return 0;
}
