// bytes_view_test.cc - no offset, however large, leads out of the view.
#include "agent/reader/bytes_view.h"

#include <gtest/gtest.h>

#include <array>

#include "agent/reader/segment_name.h"

namespace liballoc::agent {
namespace {

TEST(BytesViewTest, FitsAgreesWithWideArithmeticAtEveryEdge) {
  const uint64_t edges[] = {
      0, 1, 7, 8, 9, 100, UINT64_MAX / 2, UINT64_MAX - 8, UINT64_MAX - 1, UINT64_MAX};
  for (const uint64_t offset : edges) {
    for (const uint64_t length : edges) {
      for (const uint64_t size : edges) {
        const bool expected = static_cast<unsigned __int128>(offset) + length <= size;
        EXPECT_EQ(BytesView::fits(offset, length, size), expected)
            << offset << " " << length << " " << size;
      }
    }
  }
}

TEST(BytesViewTest, LoadsOnlyWhatIsWhollyInside) {
  const std::array<uint8_t, 9> bytes = {1, 0, 0, 0, 0, 0, 0, 0, 2};
  const BytesView view(bytes);
  EXPECT_EQ(view.load<uint64_t>(0), 1u);
  EXPECT_EQ(view.load<uint64_t>(1), uint64_t{2} << 56);
  EXPECT_EQ(view.load<uint64_t>(2), std::nullopt);
  EXPECT_EQ(view.load<uint8_t>(9), std::nullopt);
  EXPECT_EQ(view.load<uint8_t>(UINT64_MAX), std::nullopt);
}

TEST(BytesViewTest, SubViewsDoNotReachBeyondThemselves) {
  const std::array<uint8_t, 16> bytes{};
  const auto part = BytesView(bytes).sub(4, 8);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->size(), 8u);
  EXPECT_FALSE(part->sub(1, 8));
  EXPECT_TRUE(part->sub(8, 0));
  EXPECT_FALSE(part->sub(9, 0));
}

TEST(FixedStringTest, EndsAtTheFirstNulOrTheEndOfTheField) {
  const char padded[8] = {'a', 'b', 0, 'c', 0, 0, 0, 0};
  const char full[4] = {'w', 'x', 'y', 'z'};
  EXPECT_EQ(fixed_string(padded), "ab");
  EXPECT_EQ(fixed_string(full), "wxyz");
  EXPECT_EQ(fixed_string(full, 2), "wx");
  EXPECT_EQ(fixed_string(full, 400), "wxyz");
}

TEST(SegmentNameTest, TakesOnlyCanonicalNames) {
  const auto name = parse_segment_name("liballoc.1234.5678");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->pid, 1234u);
  EXPECT_EQ(name->start_ticks, 5678u);
  EXPECT_EQ(name->text(), "liballoc.1234.5678");
  const auto shared = parse_segment_name("liballoc.7.8.2");
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->suffix, 2u);
  EXPECT_EQ(shared->text(), "liballoc.7.8.2");
  for (const char* other :
       {"", "liballoc.", "liballoc.1", "liballoc.1.", "liballoc..1", "liballoc.0.1",
        "liballoc.01.1", "liballoc.1.1.0", "liballoc.1.1.9", "liballoc.1.1.01", "liballoc.1.1.1.1",
        "liballoc.1.1.", "liballoc.4294967296.1", "liballoc.-1.1",
        "liballoc.1.18446744073709551616", "Liballoc.1.1", "xliballoc.1.1", "liballoc.1.1x",
        "liballoc.1.control"}) {
    EXPECT_FALSE(parse_segment_name(other)) << other;
  }
}

}  // namespace
}  // namespace liballoc::agent
