// layout_test.cc - a directory that grows while it is fetched: read, where it settles, and refused
// after a bounded number of fetches, where it does not.
#include "agent/reader/layout.h"

#include <gtest/gtest.h>

#include <functional>

#include "agent/reader/limits.h"
#include "tests/agent/reader/segment_builder.h"

namespace liballoc::agent {
namespace {

// Changes the bytes before each fetch of the header.
class GrowingSource final : public ByteSource {
 public:
  explicit GrowingSource(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}

  ReadResult<uint64_t> size() const override { return bytes_.size(); }
  ReadResult<void> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    if (offset == 0) {
      if (before_header) before_header(header_fetches);
      ++header_fetches;
    }
    return MemorySource(bytes_).read_at(offset, out);
  }
  liballoc_abi_header& header() const {
    return *reinterpret_cast<liballoc_abi_header*>(bytes_.data());
  }

  std::function<void(int)> before_header;
  mutable int header_fetches = 0;

 private:
  mutable std::vector<uint8_t> bytes_;
};

// A segment whose last directory entry, of a second extent of spans, ends at valid_bytes exactly.
struct Grown {
  Grown() {
    for (uint32_t i = 0; i < 200; ++i) {
      b.add_span(0x400000 + 8192 * i, 1, LIBALLOC_SPAN_PARTIAL, 3, 2);
    }
    b.extents[LIBALLOC_SECTION_SPANS] = 2;
    bytes = b.bytes();
    const liballoc_abi_section& last = b.entry(LIBALLOC_SECTION_SPANS, 1);
    before = last.offset;  // where valid_bytes was when the extent was not there
    after = b.header.valid_bytes;
  }
  SegmentBuilder b;
  std::vector<uint8_t> bytes;
  uint64_t before = 0;
  uint64_t after = 0;
};

TEST(LayoutTest, AnExtentAddedWhileTheHeaderIsCopiedIsFoundByTheNextFetch) {
  const Grown grown;
  GrowingSource source(grown.bytes);
  // The first copy has the new directory_count and the old valid_bytes.
  source.before_header = [&](int fetch) {
    source.header().valid_bytes = fetch == 0 ? grown.before : grown.after;
  };
  const auto layout = read_layout(source);
  ASSERT_TRUE(layout) << layout.error().detail;
  EXPECT_EQ(layout->section(LIBALLOC_SECTION_SPANS).records, 200u);
  EXPECT_EQ(layout->header.valid_bytes, grown.after);
  EXPECT_EQ(source.header_fetches, 2);
}

TEST(LayoutTest, SeveralExtentsAddedInARowAreWaitedFor) {
  const Grown grown;
  GrowingSource source(grown.bytes);
  source.before_header = [&](int fetch) {
    source.header().valid_bytes = fetch + 1 < limits::kLayoutFetches ? grown.before : grown.after;
  };
  EXPECT_TRUE(read_layout(source));
  EXPECT_EQ(source.header_fetches, limits::kLayoutFetches);
}

TEST(LayoutTest, AnExtentThatStaysBehindValidBytesIsRefusedAfterABoundedNumberOfFetches) {
  const Grown grown;
  GrowingSource source(grown.bytes);
  source.header().valid_bytes = grown.before;
  const auto layout = read_layout(source);
  ASSERT_FALSE(layout);
  EXPECT_EQ(reject_name(layout.error().reason), reject_name(Reject::kBadOffset));
  EXPECT_EQ(source.header_fetches, limits::kLayoutFetches);
}

TEST(LayoutTest, OtherFaultsAreNotFetchedAgain) {
  Grown grown;
  GrowingSource source(grown.bytes);
  source.header().directory_count = LIBALLOC_ABI_DIRECTORY_CAPACITY + 1;
  const auto layout = read_layout(source);
  ASSERT_FALSE(layout);
  EXPECT_EQ(reject_name(layout.error().reason), reject_name(Reject::kBadDirectory));
  EXPECT_EQ(source.header_fetches, 1);
}

}  // namespace
}  // namespace liballoc::agent
