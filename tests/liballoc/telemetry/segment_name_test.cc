// segment_name_test.cc - names of segment files, written and read back.
#include "liballoc/telemetry/segment_name.h"

#include <gtest/gtest.h>

#include <string>

namespace liballoc {
namespace {

TEST(SegmentNameTest, NamesAreReadBackAsWritten) {
  for (const SegmentName& name : {SegmentName{1, 0, 0}, SegmentName{4194304, 123456, 0},
                                  SegmentName{7, 8, 3}, SegmentName{2147483647, UINT64_MAX, 8}}) {
    char path[128];
    ASSERT_TRUE(format_segment_path("/dev/shm", name, path, sizeof(path)));
    ASSERT_EQ(std::string(path).rfind("/dev/shm/liballoc.", 0), 0u);
    SegmentName back{};
    ASSERT_TRUE(parse_segment_name(path + 9, &back)) << path;
    EXPECT_EQ(back.pid, name.pid);
    EXPECT_EQ(back.start_ticks, name.start_ticks);
    EXPECT_EQ(back.suffix, name.suffix);
  }
}

TEST(SegmentNameTest, OtherNamesAreRefused) {
  SegmentName name{};
  for (const char* text : {"",
                           "liballoc",
                           "liballoc.",
                           "liballoc.1",
                           "liballoc.1.",
                           "liballoc..2",
                           "liballoc.0.2",
                           "liballoc.1.2.",
                           "liballoc.1.2.0",
                           "liballoc.1.2.9",
                           "liballoc.1.2.3.4",
                           "liballoc.-1.2",
                           "liballoc.+1.2",
                           "liballoc.1.2 ",
                           " liballoc.1.2",
                           "liballoc.01.2",
                           "liballoc.1.02",
                           "liballoc.2147483648.2",
                           "liballoc.1.18446744073709551616",
                           "liballoc.1.99999999999999999999",
                           "Liballoc.1.2",
                           "liballoc.1.2x",
                           "liballoc.0x1.2"}) {
    EXPECT_FALSE(parse_segment_name(text, &name)) << text;
  }
}

TEST(SegmentNameTest, PathThatDoesNotFitIsRefused) {
  char path[24];
  EXPECT_TRUE(format_segment_path("/dev/shm", {1, 234, 0}, path,
                                  sizeof(path)));  // 23 characters and the end
  EXPECT_FALSE(format_segment_path("/dev/shm", {1, 2345, 0}, path, sizeof(path)));
  EXPECT_FALSE(join_path("/dev/shm", "0123456789abcdef", path, sizeof(path)));
  EXPECT_TRUE(join_path("/dev/shm", "0123456789abcd", path, sizeof(path)));
  EXPECT_STREQ(path, "/dev/shm/0123456789abcd");
}

}  // namespace
}  // namespace liballoc
