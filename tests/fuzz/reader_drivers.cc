// reader_drivers.cc - whole segments: see reader_drivers.h. What is checked of a reading is in
// tests/agent/reader/reading_oracle.h; no memory beyond a few times the input may be taken.
#include "tests/fuzz/reader_drivers.h"

#include <algorithm>
#include <vector>

#include "agent/reader/segment_reader.h"
#include "tests/agent/reader/reading_oracle.h"
#include "tests/fuzz/fuzz_target.h"

namespace liballoc::agent {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr int64_t kNow = 1700000001000000000;

struct ValidSegment {
  ValidSegment() : builder(full_builder()), bytes(builder.bytes()) {}
  SegmentBuilder builder;
  Bytes bytes;
};
const ValidSegment& valid() {
  static const ValidSegment segment;
  return segment;
}

void expect_sane(const SegmentReading& reading, uint64_t segment_bytes) {
  const std::string problem = problem_of(reading, segment_bytes);
  if (!problem.empty()) std::fprintf(stderr, "the reading has %s\n", problem.c_str());
  LIBALLOC_FUZZ_CHECK(problem.empty());
}

// The next reading by the same reader: what has been counted stays counted.
void expect_no_step_back(const Snapshot& before, const Snapshot& after) {
  for (size_t i = 0; i < LIBALLOC_ABI_SIZE_CLASSES; ++i) {
    const SizeClassStats& a = before.memstats.by_size[i];
    const SizeClassStats& b = after.memstats.by_size[i];
    LIBALLOC_FUZZ_CHECK(b.mallocs >= a.mallocs && b.frees >= a.frees);
  }
  LIBALLOC_FUZZ_CHECK(after.memstats.mallocs >= before.memstats.mallocs);
  LIBALLOC_FUZZ_CHECK(after.memstats.frees >= before.memstats.frees);
  LIBALLOC_FUZZ_CHECK(after.health.ring_missed >= before.health.ring_missed);
}

// Bytes that do not change: sane, and the same answer from another reader.
void expect_harmless(const Bytes& bytes) {
  const MemorySource source(bytes);
  // Its name is what the header says, so that the reading goes on from there.
  liballoc_abi_header header{};
  if (!bytes.empty()) std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof(header)));
  const SegmentName name{header.pid, header.start_ticks, 0};
  SegmentReader reader(name);
  const auto reading = reader.read(source, true, kNow);
  SegmentReader other(name);
  const auto again = other.read(source, false, kNow);
  LIBALLOC_FUZZ_CHECK(reading.ok() == again.ok());
  if (!reading) {
    LIBALLOC_FUZZ_CHECK(reading.error().reason == again.error().reason);
    LIBALLOC_FUZZ_CHECK(reading.error().detail == again.error().detail);
    LIBALLOC_FUZZ_CHECK(!reading.error().detail.empty());
    return;
  }
  expect_sane(*reading, bytes.size());
  expect_sane(*again, bytes.size());
  const Snapshot& a = reading->snapshot;
  const Snapshot& b = again->snapshot;
  LIBALLOC_FUZZ_CHECK(a.health.corrupt_records == b.health.corrupt_records);
  LIBALLOC_FUZZ_CHECK(a.health.torn_records == b.health.torn_records);
  LIBALLOC_FUZZ_CHECK(a.memstats.mallocs == b.memstats.mallocs);
  LIBALLOC_FUZZ_CHECK(a.memstats.heap_alloc == b.memstats.heap_alloc);
  LIBALLOC_FUZZ_CHECK(a.spans.size() == b.spans.size());
  LIBALLOC_FUZZ_CHECK(reading->events.size() == again->events.size());
  const auto later = reader.read(source, true, kNow + 1);
  LIBALLOC_FUZZ_CHECK(later.ok());
  expect_no_step_back(a, later->snapshot);
}

void change(Bytes& bytes, uint64_t offset, std::span<const uint8_t> by) {
  for (size_t i = 0; i < by.size() && offset + i < bytes.size(); ++i) bytes[offset + i] ^= by[i];
}

// Before each read, the next patch of the input is applied. A patch is: a byte of flags, an offset,
// then up to 8 bytes; or the new size of the file.
class MadSource final : public ByteSource {
 public:
  explicit MadSource(std::span<const uint8_t> patches) : bytes_(valid().bytes), patches_(patches) {
    size_ = bytes_.size();
  }
  ReadResult<uint64_t> size() const override {
    patch();
    return size_;
  }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    patch();
    return MemorySource(std::span(bytes_).first(size_)).read_at(offset, out);
  }
  bool done() const { return patches_.empty(); }
  uint64_t most_bytes() const { return bytes_.size(); }

 private:
  void patch() const {
    if (wait_ > 0) {
      --wait_;
      return;
    }
    if (patches_.empty()) return;
    const uint8_t flags = patches_.byte();
    wait_ = flags >> 5;
    const uint64_t at = uint64_t{patches_.value<uint16_t>()} * 4;
    if ((flags & 8) != 0) {
      size_ = std::min<uint64_t>(at, bytes_.size());
      return;
    }
    const bool back = (flags & 16) != 0;  // what was there at first
    const size_t count = (flags & 7) + 1;
    const std::span<const uint8_t> news = back ? std::span<const uint8_t>{} : patches_.take(count);
    for (size_t i = 0; i < count && at + i < bytes_.size(); ++i) {
      if (back) bytes_[at + i] = valid().bytes[at + i];
      if (i < news.size()) bytes_[at + i] = news[i];
    }
    size_ = bytes_.size();
  }

  mutable Bytes bytes_;
  mutable FuzzInput patches_;
  mutable uint64_t size_;
  mutable int wait_ = 0;
};

}  // namespace

void drive_reader_header(std::span<const uint8_t> input) {
  Bytes bytes = valid().bytes;
  change(bytes, 0, input);
  expect_harmless(bytes);
}

void drive_reader_section(std::span<const uint8_t> bytes_in) {
  FuzzInput input(bytes_in);
  const uint32_t kind = 1 + static_cast<uint32_t>(input.below(kSectionKinds - 1));
  Bytes bytes = valid().bytes;
  change(bytes, valid().builder.directory_entry_offset(kind),
         input.take(sizeof(liballoc_abi_section)));
  change(bytes, valid().builder.entry(kind).offset, input.rest());
  expect_harmless(bytes);
}

void drive_reader_file(std::span<const uint8_t> input) {
  expect_harmless({input.begin(), input.end()});
}

void drive_reader_live(std::span<const uint8_t> input) {
  const MadSource source(input);
  SegmentReader reader(SegmentName{1234, 5678, 0});
  std::vector<Snapshot> last;  // one, once there is one
  // Each reading makes ten reads or more, so the patches end.
  for (int i = 0; i < 64 && !source.done(); ++i) {
    auto reading = reader.read(source, true, kNow + i);
    if (!reading) {
      LIBALLOC_FUZZ_CHECK(!reading.error().detail.empty());
      continue;
    }
    // Two fetches of one table can see different counts: twice the segment bounds them.
    expect_sane(*reading, 2 * source.most_bytes());
    if (!last.empty()) expect_no_step_back(last.back(), reading->snapshot);
    last.assign(1, std::move(reading->snapshot));
  }
}

}  // namespace liballoc::agent
