// hostile_test.cc - no byte of a segment can hurt the reader: each reason to reject is reached, and
// random damage is either rejected or read within bounds, with the same answer twice.
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "agent/reader/limits.h"
#include "agent/reader/segment_reader.h"
#include "tests/agent/reader/reading_oracle.h"
#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

ReadResult<SegmentReading> read_bytes(const std::vector<uint8_t>& bytes) {
  SegmentReader reader(SegmentName{1234, 5678, 0});
  return reader.read(MemorySource(bytes), true, 1);
}

// Every rejection is reached by one broken field in an otherwise valid segment.
struct Broken {
  const char* name;
  Reject reason;
  std::function<void(std::vector<uint8_t>&, liballoc_abi_header&,
                     std::function<liballoc_abi_section&(uint32_t)>)>
      damage;
};

TEST(HostileTest, EachBrokenFieldHasItsReason) {
  using Bytes = std::vector<uint8_t>;
  using Header = liballoc_abi_header;
  using Entry = std::function<liballoc_abi_section&(uint32_t)>;
  const Broken cases[] = {
      {"no magic", Reject::kIncomplete, [](Bytes&, Header& h, Entry) { h.magic = 0; }},
      {"other magic", Reject::kBadMagic, [](Bytes&, Header& h, Entry) { h.magic ^= 1; }},
      {"other byte order", Reject::kBadMagic,
       [](Bytes&, Header& h, Entry) { h.magic = __builtin_bswap64(h.magic); }},
      {"major 2", Reject::kUnsupportedVersion, [](Bytes&, Header& h, Entry) { h.major = 2; }},
      {"major 0", Reject::kUnsupportedVersion, [](Bytes&, Header& h, Entry) { h.major = 0; }},
      {"short header", Reject::kBadHeader, [](Bytes&, Header& h, Entry) { h.header_bytes = 248; }},
      {"huge header", Reject::kBadHeader,
       [](Bytes&, Header& h, Entry) { h.header_bytes = UINT32_MAX; }},
      {"pid 0", Reject::kBadHeader, [](Bytes&, Header& h, Entry) { h.pid = 0; }},
      {"page 0", Reject::kBadHeader, [](Bytes&, Header& h, Entry) { h.page_bytes = 0; }},
      {"page 12288", Reject::kBadHeader, [](Bytes&, Header& h, Entry) { h.page_bytes = 12288; }},
      {"valid above capacity", Reject::kBadHeader,
       [](Bytes&, Header& h, Entry) { h.capacity_bytes = h.valid_bytes - 1; }},
      {"valid above the cap", Reject::kBadHeader,
       [](Bytes&, Header& h, Entry) { h.valid_bytes = limits::kMaxValidBytes + 1; }},
      {"valid below the header", Reject::kBadHeader,
       [](Bytes&, Header& h, Entry) { h.valid_bytes = 10; }},
      {"capacity without end", Reject::kBadHeader,
       [](Bytes&, Header& h, Entry) { h.capacity_bytes = UINT64_MAX; }},
      {"valid beyond the file", Reject::kTruncated,
       [](Bytes& b, Header& h, Entry) { h.valid_bytes = b.size() + 1; }},
      {"pid of another", Reject::kNameMismatch, [](Bytes&, Header& h, Entry) { ++h.pid; }},
      {"start of another", Reject::kNameMismatch,
       [](Bytes&, Header& h, Entry) { ++h.start_ticks; }},
      {"too many entries", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_count = 121; }},
      {"entries without end", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_count = UINT64_MAX; }},
      {"short entries", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_stride = 56; }},
      {"long entries", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_stride = 1u << 31; }},
      {"directory in the header", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_offset = 128; }},
      {"directory past the end", Reject::kBadDirectory,
       [](Bytes&, Header& h, Entry) { h.directory_offset = UINT32_MAX - 7; }},
      {"extent out of order", Reject::kBadDirectory,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).extent = 1; }},
      {"section past the end", Reject::kBadOffset,
       [](Bytes& b, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).offset = (b.size() | 63) + 1; }},
      {"section wraps", Reject::kBadOffset,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).offset = UINT64_MAX - 63; }},
      {"section misaligned", Reject::kBadOffset,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).offset += 8; }},
      {"capacity past the end", Reject::kBadOffset,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).capacity = UINT32_MAX; }},
      {"short stride", Reject::kBadStride,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).stride = 56; }},
      {"stride 0", Reject::kBadStride,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_RING).stride = 0; }},
      {"huge stride", Reject::kBadStride,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).stride = UINT32_MAX & ~7u; }},
      {"odd stride", Reject::kBadStride,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_SPANS).stride = 65; }},
      {"count above capacity", Reject::kBadCount,
       [](Bytes&, Header&, Entry e) { ++e(LIBALLOC_SECTION_SPANS).count; }},
      {"count without end", Reject::kBadCount,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_FRAMES).count = UINT64_MAX; }},
      {"capacity 0", Reject::kBadCount,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_RING).capacity = 0; }},
      {"no identity record", Reject::kBadCount,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_IDENTITY).count = 0; }},
      {"a size class is missing", Reject::kBadCount,
       [](Bytes&, Header&, Entry e) {
         e(LIBALLOC_SECTION_SIZE_CLASSES).count = LIBALLOC_ABI_SIZE_CLASSES - 1;
       }},
      {"two sections in one place", Reject::kOverlap,
       [](Bytes&, Header&, Entry e) {
         e(LIBALLOC_SECTION_SPANS).offset = e(LIBALLOC_SECTION_BUCKETS).offset;
       }},
      {"section on the header", Reject::kOverlap,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_MODULES).offset = 0; }},
      {"section on the directory", Reject::kOverlap,
       [](Bytes&, Header& h, Entry e) { e(LIBALLOC_SECTION_MODULES).offset = h.directory_offset; }},
      {"two rings", Reject::kDuplicateSection,
       [](Bytes&, Header&, Entry e) {
         liballoc_abi_section& faults = e(LIBALLOC_SECTION_FAULTS);
         faults.kind = LIBALLOC_SECTION_RING;
         faults.extent = 1;
       }},
      {"no memstats", Reject::kMissingSection,
       [](Bytes&, Header&, Entry e) { e(LIBALLOC_SECTION_MEMSTATS).kind = 999; }},
      {"empty directory", Reject::kMissingSection,
       [](Bytes&, Header& h, Entry) { h.directory_count = 0; }},
  };
  std::set<Reject> reached;
  for (const Broken& broken : cases) {
    SegmentBuilder b = full_builder();
    std::vector<uint8_t> bytes = b.bytes();
    auto* header = reinterpret_cast<liballoc_abi_header*>(bytes.data());
    broken.damage(bytes, *header, [&](uint32_t kind) -> liballoc_abi_section& {
      return *reinterpret_cast<liballoc_abi_section*>(bytes.data() +
                                                      b.directory_entry_offset(kind));
    });
    const auto reading = read_bytes(bytes);
    ASSERT_FALSE(reading) << broken.name;
    EXPECT_EQ(reject_name(reading.error().reason), reject_name(broken.reason)) << broken.name;
    EXPECT_FALSE(reading.error().detail.empty());
    reached.insert(broken.reason);
  }
  // The rest needs a file: segment_file_test.cc. Together all reasons but one are reached;
  // kReadFailed follows here.
  const std::set<Reject> by_file = {Reject::kOpenFailed,   Reject::kNotRegularFile,
                                    Reject::kWrongOwner,   Reject::kWrongMode,
                                    Reject::kFileTooSmall, Reject::kFileTooLarge};
  for (size_t i = 0; i < kRejectCount; ++i) {
    const Reject reason = static_cast<Reject>(i);
    EXPECT_TRUE(reached.contains(reason) || by_file.contains(reason) ||
                reason == Reject::kReadFailed)
        << reject_name(reason) << " is never reached";
  }
}

TEST(HostileTest, EveryReasonHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kRejectCount; ++i) {
    const std::string_view name = reject_name(static_cast<Reject>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(names.insert(name).second) << name;
    for (const char c : name) EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_') << name;
  }
}

TEST(HostileTest, ASourceThatFailsIsReported) {
  class FailingSource final : public ByteSource {
   public:
    ReadResult<uint64_t> size() const override { return uint64_t{1} << 20; }
    ReadResult<void> read_at(uint64_t, std::span<uint8_t>) const override {
      return reject(Reject::kReadFailed, "I/O error");
    }
  };
  SegmentReader reader(SegmentName{1, 1, 0});
  const auto reading = reader.read(FailingSource(), true, 1);
  ASSERT_FALSE(reading);
  EXPECT_EQ(reading.error().reason, Reject::kReadFailed);
}

TEST(HostileTest, EveryTruncationIsRejected) {
  const std::vector<uint8_t> bytes = full_builder().bytes();
  for (size_t size = 0; size < bytes.size(); size += size < 9000 ? 1 : 97) {
    const auto reading = read_bytes({bytes.begin(), bytes.begin() + static_cast<long>(size)});
    ASSERT_FALSE(reading) << size;
    const Reject expected = size == 0                            ? Reject::kIncomplete
                            : size < sizeof(liballoc_abi_header) ? Reject::kFileTooSmall
                                                                 : Reject::kTruncated;
    ASSERT_EQ(reject_name(reading.error().reason), reject_name(expected)) << size;
  }
}

TEST(HostileTest, UnknownSectionsAndANewerMinorAreRead) {
  SegmentBuilder b = full_builder();
  b.header.minor = 9;
  auto bytes = b.bytes();
  auto* faults = reinterpret_cast<liballoc_abi_section*>(
      bytes.data() + b.directory_entry_offset(LIBALLOC_SECTION_FAULTS));
  faults->kind = 4000000000u;
  faults->offset = UINT64_MAX;  // what is not known is not looked at
  const auto reading = read_bytes(bytes);
  ASSERT_TRUE(reading) << reading.error().detail;
  EXPECT_TRUE(reading->snapshot.faults.empty());
  EXPECT_EQ(reading->snapshot.buckets.size(), 20u);
}

TEST(HostileTest, RecordsThatCannotBeAreLeftOutAndCounted) {
  SegmentBuilder b = full_builder();
  b.spans[0].size_class = LIBALLOC_ABI_SIZE_CLASSES;
  b.spans[1].state = 200;
  b.spans[2].allocated = b.spans[2].objects + 1;
  b.spans[3].base = 0;
  b.stacks[0].first_frame = UINT64_MAX - 1;
  b.stacks[1].depth = UINT32_MAX;
  b.buckets[2].cache_class = LIBALLOC_ABI_CACHE_CLASSES;
  b.buckets[3].stack = 21;
  b.samples[4].bucket = 21;
  b.modules[0].build_id_bytes = 33;
  const auto reading = read_bytes(b.bytes());
  ASSERT_TRUE(reading) << reading.error().detail;
  const Snapshot& s = reading->snapshot;
  EXPECT_EQ(s.spans.size(), 16u);
  EXPECT_TRUE(s.stacks[0].pcs.empty());
  EXPECT_TRUE(s.stacks[1].pcs.empty());
  EXPECT_EQ(s.stacks[2].pcs.size(), 3u) << "the others keep their numbers";
  EXPECT_EQ(s.buckets.size(), 20u);
  EXPECT_EQ(s.buckets[2].allocs, 0u);
  EXPECT_TRUE(s.stacks.at(s.buckets[3].stack).pcs.empty());
  EXPECT_EQ(s.live_samples.size(), 19u);
  EXPECT_TRUE(s.modules.empty());
  EXPECT_EQ(s.health.corrupt_records, 10u);
}

TEST(HostileTest, StacksThatShareFramesCannotMultiplyMemory) {
  SegmentBuilder b;
  b.add_stack(std::vector<uint64_t>(1000, 7));
  for (int i = 0; i < 5000; ++i) b.stacks.push_back(b.stacks[0]);
  const auto reading = read_bytes(b.bytes());
  ASSERT_TRUE(reading);
  size_t frames = 0;
  for (const Stack& stack : reading->snapshot.stacks) frames += stack.pcs.size();
  EXPECT_LE(frames, 1000u);
  EXPECT_EQ(reading->snapshot.health.corrupt_records, 5000u);
}

TEST(HostileTest, RandomDamageIsRejectedOrReadWithinBounds) {
  SegmentBuilder b = full_builder();
  const std::vector<uint8_t> good = b.bytes();
  // Bytes that steer the reader: the header in use, the directory, and the records; zeros of the
  // directory's rest would only dilute the damage.
  const size_t steering = b.header.directory_offset + b.header.directory_count * 64;
  std::mt19937_64 random(20240502);
  const uint64_t edges[] = {
      0, 1, UINT32_MAX, UINT64_MAX, uint64_t{1} << 63, good.size(), good.size() - 1, 64, 120, 121};
  size_t read = 0;
  size_t rejected = 0;
  const int rounds = LIBALLOC_TEST_SANITIZED ? 5000 : 20000;
  for (int round = 0; round < rounds; ++round) {
    std::vector<uint8_t> bytes = good;
    const int changes = 1 + static_cast<int>(random() % 6);
    for (int i = 0; i < changes; ++i) {
      const size_t limit = random() % 2 == 0 ? steering : bytes.size();
      const size_t at = random() % (limit - 8);
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<uint8_t>(random());
          break;
        case 1:
          bytes[at] ^= static_cast<uint8_t>(1u << (random() % 8));
          break;
        case 2: {
          const uint64_t value = edges[random() % std::size(edges)];
          std::memcpy(bytes.data() + at / 8 * 8, &value, 8);
          break;
        }
        default: {
          const uint32_t value = static_cast<uint32_t>(edges[random() % std::size(edges)]);
          std::memcpy(bytes.data() + at / 4 * 4, &value, 4);
        }
      }
    }
    const auto reading = read_bytes(bytes);
    const auto again = read_bytes(bytes);
    ASSERT_EQ(reading.ok(), again.ok()) << "the same bytes must give the same answer";
    if (!reading) {
      ++rejected;
      ASSERT_EQ(reading.error().reason, again.error().reason);
      ASSERT_EQ(reading.error().detail, again.error().detail);
      continue;
    }
    ++read;
    ASSERT_EQ(reading->snapshot.memstats.heap_alloc, again->snapshot.memstats.heap_alloc);
    ASSERT_EQ(reading->snapshot.health.corrupt_records, again->snapshot.health.corrupt_records);
    ASSERT_EQ(problem_of(*reading, bytes.size()), "");
  }
  // The damage must reach both sides, or the test shows nothing.
  EXPECT_GT(read, static_cast<size_t>(rounds) / 10);
  EXPECT_GT(rejected, static_cast<size_t>(rounds) / 10);
}

}  // namespace
}  // namespace liballoc::agent
